//! This process and this build, as metrics.

use procfs::process::{LimitValue, Process};
use procfs::{ProcError, WithCurrentSystemInfo};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Registry};

use crate::monitoring::metrics::{
    BUILD_INFO, Metric, PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START,
    PROCESS_THREADS, PROCESS_VIRTUAL,
};

/// Registers `flux_security_build_info` and the `process_*` metrics.
///
/// # Errors
/// A metric of that name is registered already.
pub fn register(registry: &Registry) -> Result<(), prometheus::Error> {
    let commit = option_env!("FLUXSEC_COMMIT").unwrap_or("unknown");
    BUILD_INFO
        .gauges(registry)?
        .get_metric_with_label_values(&[env!("CARGO_PKG_VERSION"), commit])?
        .set(1.0);
    registry.register(Box::new(ThisProcess::new()?))
}

/// The metrics that Prometheus' clients have of every process, read anew for every scrape.
struct ThisProcess {
    cpu: Counter,
    started: Gauge,
    gauges: [(Gauge, Reading); 5],
}

type Reading = fn(&Process) -> Result<f64, ProcError>;

const GAUGES: [(Metric, Reading); 5] = [
    (PROCESS_RESIDENT, |it| Ok(number(it.stat()?.rss_bytes().get()))),
    (PROCESS_VIRTUAL, |it| Ok(number(it.stat()?.vsize))),
    (PROCESS_THREADS, |it| {
        Ok(number(u64::try_from(it.stat()?.num_threads).unwrap_or_default()))
    }),
    (PROCESS_OPEN_FDS, |it| {
        Ok(number(u64::try_from(it.fd_count()?).unwrap_or(u64::MAX)))
    }),
    (PROCESS_MAX_FDS, |it| {
        Ok(match it.limits()?.max_open_files.soft_limit {
            LimitValue::Unlimited => f64::INFINITY,
            LimitValue::Value(limit) => number(limit),
        })
    }),
];

impl ThisProcess {
    fn new() -> Result<Self, prometheus::Error> {
        let [first, second, third, fourth, fifth] =
            GAUGES.map(|(metric, reading)| Gauge::with_opts(metric.opts()).map(|gauge| (gauge, reading)));
        Ok(Self {
            cpu: Counter::with_opts(PROCESS_CPU.opts())?,
            started: Gauge::with_opts(PROCESS_START.opts())?,
            gauges: [first?, second?, third?, fourth?, fifth?],
        })
    }

    fn read(&self) -> Result<(), ProcError> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let seconds = number(stat.utime + stat.stime) / number(procfs::ticks_per_second());
        self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        self.started.set(
            number(procfs::boot_time_secs()?) + number(stat.starttime) / number(procfs::ticks_per_second()),
        );
        for (gauge, reading) in &self.gauges {
            gauge.set(reading(&process)?);
        }
        Ok(())
    }
}

impl Collector for ThisProcess {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.desc());
        self.cpu
            .desc()
            .into_iter()
            .chain(self.started.desc())
            .chain(gauges)
            .collect()
    }

    /// Nothing rather than something false when `/proc` cannot be read.
    fn collect(&self) -> Vec<MetricFamily> {
        if self.read().is_err() {
            return Vec::new();
        }
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.collect());
        self.cpu
            .collect()
            .into_iter()
            .chain(self.started.collect())
            .chain(gauges)
            .collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floats; bytes and ticks fit well below 2^53"
)]
const fn number(value: u64) -> f64 {
    value as f64
}
