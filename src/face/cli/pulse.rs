//! What a run beside is doing: for people, and as metrics.

use std::fmt::Write;

use crate::run::engine::{Counters, Pulse};

use super::terminal::{Terminal, count, duration, moment, one_line};

/// The lines of `b2n status` about what is going on.
pub fn text(pulse: &Pulse, now_ms: i64, terminal: &Terminal) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<12}{}", one_line(text));
    };
    match pulse.process {
        Some(process) => line("at work", &format!("process {process}")),
        None => line("at work", "nobody"),
    }
    let at = pulse.at.join(", ");
    let phase = match (pulse.phase, pulse.step) {
        ("load", Some((step, of))) => format!("loading, phase {step} of {of}: {at}"),
        ("load", None) => format!("loading: {at}"),
        ("extract", _) => format!("reading the source: {at}"),
        ("done", _) => "every record has an end".to_owned(),
        _ => "not begun".to_owned(),
    };
    line("phase", &phase);
    let all = pulse.pending + pulse.ended;
    if all > 0 {
        let share = 100.0 * pulse.ended as f64 / all as f64;
        line("records", &format!("{} of {} have an end ({share:.1} %)", count(pulse.ended), count(all)));
    }
    if let (Some(rate), Some(used)) = (pulse.writes_per_s, pulse.limit_use) {
        let percent = 100.0 * used;
        line(
            "rate",
            &format!("{rate:.1} writes a second over the last minute, {percent:.0} % of the allowed rate"),
        );
        if let Some(left) = pulse.left_s.filter(|_| pulse.pending > 0) {
            line("time left", &format!("about {} at this rate", duration(left)));
        }
    } else if let Some(last) = pulse.last_write_ms {
        let ago = duration((now_ms - last).max(0) as f64 / 1000.0);
        line("rate", &format!("no write in the last minute; the last one ended {ago} ago"));
    }
    if pulse.held_back > 0 {
        line("held back", &format!("{}: `b2n quarantine list` tells why", count(pulse.held_back)));
    }
    for waits in &pulse.waits_for {
        line("waits for", waits);
    }
    if let Some(fault) = &pulse.last_fault {
        line("last fault", &format!("{}: {} ({})", moment(fault.at_ms), fault.what, fault.record));
    }
    format!("{}\n{out}", terminal.bold("now"))
}

/// As metrics. Names and labels stay as they are within a version; no value of a record is in them.
pub fn prometheus(pulse: &Pulse, ends: &[Counters]) -> String {
    let mut out = String::new();
    out.push_str(
        "# HELP b2n_records Records of each row of the books, by where they ended.\n# TYPE b2n_records gauge\n",
    );
    for (row, ends) in ends {
        for (end, records) in ends {
            let _ = writeln!(out, "b2n_records{{row=\"{}\",end=\"{}\"}} {records}", label(row), label(end));
        }
    }
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
    };
    let seconds = |ms: i64| ms as f64 / 1000.0;
    gauge(
        "b2n_running",
        "Whether a process works on the workspace.",
        Some(f64::from(u8::from(pulse.process.is_some()))),
    );
    gauge("b2n_phase", "The phase of loading, from 1.", pulse.step.map(|(step, _)| step as f64));
    gauge("b2n_phases", "Phases of loading.", pulse.step.map(|(_, of)| of as f64));
    gauge("b2n_records_pending", "Records without an end.", Some(pulse.pending as f64));
    gauge("b2n_records_held_back", "Records that are quarantined or failed.", Some(pulse.held_back as f64));
    gauge(
        "b2n_writes_per_second",
        "Writes a second over the last minute.",
        Some(pulse.writes_per_s.unwrap_or(0.0)),
    );
    gauge(
        "b2n_limit_use_ratio",
        "How much of the allowed rate writes use.",
        Some(pulse.limit_use.unwrap_or(0.0)),
    );
    gauge("b2n_seconds_left", "Seconds until pending records have an end, at this rate.", pulse.left_s);
    gauge(
        "b2n_writes_under_way",
        "Writes that were sent and have no answer yet.",
        Some(pulse.under_way as f64),
    );
    gauge("b2n_last_write_timestamp_seconds", "When the last write ended.", pulse.last_write_ms.map(seconds));
    gauge(
        "b2n_last_fault_timestamp_seconds",
        "When something last went wrong.",
        pulse.last_fault.as_ref().map(|fault| seconds(fault.at_ms)),
    );
    out
}

/// A label's value: what would end it is escaped.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_text_that_a_scraper_reads() {
        let ends = vec![("a \"b\"\\".to_owned(), vec![("created", 5), ("left out", 0)])];
        let pulse = Pulse { process: Some(7), pending: 9, left_s: Some(1.5), ..Pulse::default() };
        let text = prometheus(&pulse, &ends);
        assert!(text.contains("b2n_records{row=\"a \\\"b\\\"\\\\\",end=\"created\"} 5\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            assert!(value.parse::<f64>().is_ok() && name.starts_with("b2n_"), "{line}");
            let plain = name.split('{').next().expect("a name");
            assert!(text.contains(&format!("# TYPE {plain} gauge\n")), "{line}");
        }
        assert!(text.contains("b2n_running 1\n") && !text.contains("b2n_phase "));
    }
}
