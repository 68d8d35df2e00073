//! `b2n twin`

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use crate::run::twin::{bitrix24, nutshell, serve};

use super::Format;
use super::failure::Failure;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Loopback port of the Bitrix24 twin; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    bitrix24_port: u16,
    /// Loopback port of the Nutshell twin; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    nutshell_port: u16,
    /// How large the portal is: 1 is 500 companies, 1,500 contacts, 1,000 deals.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    scale: f64,
    /// What the portal's data is made from: the same seed, the same portal.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Answer at once and refuse nothing: no latency, no request limits.
    #[arg(long)]
    unthrottled: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if !(args.scale > 0.0 && args.scale <= 1_000.0) {
        return Err(Failure::usage(format!("a scale of {} makes no portal", args.scale))
            .hint("name one above 0, up to 1000"));
    }
    let mut settings = bitrix24::Settings::default();
    let mut other = nutshell::Settings::default();
    if args.unthrottled {
        settings.rate_limited = false;
        settings.operating_limit_s = f64::INFINITY;
        settings.latency = bitrix24::Latency { request_ms: 0.0, base_ms: 0.0, row_ms: 0.0, count_us: 0.0 };
        other.latency_ms = 0;
    }
    let portal = Arc::new(bitrix24::Twin::new(bitrix24::Portal::acme(args.scale, args.seed), settings));
    let company = Arc::new(nutshell::Twin::new(nutshell::Company::acme(), other));
    let runtime = super::account::runtime()?;
    runtime.block_on(async {
        let take = |port: u16| async move {
            serve::listen(port).await.map_err(|error| {
                Failure::outside(format!("port {port} of 127.0.0.1: {error}"))
                    .hint("name another port, or 0 for a free one")
            })
        };
        let (left, right) = (take(args.bitrix24_port).await?, take(args.nutshell_port).await?);
        let webhook = format!("http://{}/rest/1/secret/", left.address);
        let address = format!("http://{}", right.address);
        match terminal.format {
            Format::Human => println!("twin ready: bitrix24 {webhook} nutshell {address}"),
            Format::Json => {
                println!("{}", json!({"format": "b2n-twin/1", "bitrix24": webhook, "nutshell": address}))
            }
        }
        let stopped = |error: std::io::Error| Failure::outside(format!("the twin stopped: {error}"));
        let portal_front: Arc<serve::Serve> = Arc::new(move |request, now| portal.handle(request, now));
        let company_front: Arc<serve::Serve> = Arc::new(move |request, now| company.handle(request, now));
        tokio::select! {
            ended = left.serve(portal_front, args.unthrottled) => ended.map_err(stopped)?,
            ended = right.serve(company_front, args.unthrottled) => ended.map_err(stopped)?,
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}
