//! `b2n twin`

use std::path::{Path, PathBuf};
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
    /// Answer over https with the certificate in this file (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Set a switch of the Bitrix24 twin: `plan=enterprise`, `scopes=crm,user`, `admin=no`; repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    switch: Vec<String>,
    /// Let something go wrong on the Bitrix24 side: `html:502@every:10`, `insert:deal@nth:3/crm.deal.list`;
    /// repeatable.
    #[arg(long, value_name = "KIND[:VALUE][@WHEN][/METHOD]")]
    fault: Vec<String>,
    /// When stopped, write what the Bitrix24 portal then holds into this file (JSON).
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
}

/// What the portal of a twin is switched to.
fn settings(args: &Args) -> Result<bitrix24::Settings, Failure> {
    let odd = |error: bitrix24::BadSwitch| {
        Failure::usage(error.to_string()).hint(format!("what may stand there: {}", error.instead))
    };
    let mut settings = bitrix24::Settings::default();
    if args.unthrottled {
        settings.rate_limited = false;
        settings.operating_limit_s = f64::INFINITY;
        settings.latency = bitrix24::Latency { request_ms: 0.0, base_ms: 0.0, row_ms: 0.0, count_us: 0.0 };
    }
    for switch in &args.switch {
        settings.switch(switch).map_err(odd)?;
    }
    settings.faults =
        args.fault.iter().map(|text| bitrix24::fault(text)).collect::<Result<_, _>>().map_err(odd)?;
    Ok(settings)
}

/// The certificate that the twins show, where one is named.
fn certificate(args: &Args) -> Result<Option<serve::Certificate>, Failure> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| {
            Failure::usage(format!("`{}` cannot be read: {error}", path.display()))
                .hint("name a file in the PEM form")
        })
    };
    let made = serve::Certificate::read(&read(chain)?, &read(key)?);
    let hint = "`openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost` makes both";
    made.map(Some).map_err(|what| Failure::usage(what).hint(hint))
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if !(args.scale > 0.0 && args.scale <= 1_000.0) {
        return Err(Failure::usage(format!("a scale of {} makes no portal", args.scale))
            .hint("name one above 0, up to 1000"));
    }
    let (settings, certificate) = (settings(args)?, certificate(args)?);
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let (user, secret) = (settings.user_id, settings.secret.clone());
    let mut other = nutshell::Settings::default();
    if args.unthrottled {
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
        let webhook = format!("{scheme}://{}/rest/{user}/{secret}/", left.address);
        let address = format!("{scheme}://{}", right.address);
        match terminal.format {
            Format::Human => println!("twin ready: bitrix24 {webhook} nutshell {address}"),
            Format::Json => {
                println!("{}", json!({"format": "b2n-twin/1", "bitrix24": webhook, "nutshell": address}))
            }
        }
        let stopped = |error: std::io::Error| Failure::outside(format!("the twin stopped: {error}"));
        let dumped = Arc::clone(&portal);
        let portal_front: Arc<serve::Serve> = Arc::new(move |request, now| portal.handle(request, now));
        let company_front: Arc<serve::Serve> = Arc::new(move |request, now| company.handle(request, now));
        tokio::select! {
            ended = left.serve(portal_front, args.unthrottled, certificate.clone()) => ended.map_err(stopped)?,
            ended = right.serve(company_front, args.unthrottled, certificate) => ended.map_err(stopped)?,
            _ = tokio::signal::ctrl_c() => {}
        }
        if let Some(path) = &args.dump {
            std::fs::write(path, dumped.dump().to_string()).map_err(|error| {
                Failure::outside(format!("`{}` cannot be written: {error}", path.display()))
                    .hint("name a file in a folder that exists")
            })?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
