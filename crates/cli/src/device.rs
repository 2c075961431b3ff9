//! Where tensors live.

use anyhow::{Context, bail};
use burn::tensor::Device;

/// Flags that choose the device and the threads.
#[derive(clap::Args, Clone, Debug)]
pub struct DeviceArgs {
    /// Device: cpu, or wgpu, cuda or cuda:1 in a build with that feature
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Threads for computation [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl DeviceArgs {
    /// The device.
    pub fn device(&self) -> anyhow::Result<Device> {
        let (kind, index) = match self.device.split_once(':') {
            None => (self.device.as_str(), None),
            Some((kind, index)) => (kind, Some(index.parse::<usize>().with_context(|| self.unknown())?)),
        };
        match (kind, index) {
            ("cpu" | "flex", None) => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            ("wgpu", index) => {
                use burn::tensor::DeviceKind;
                Ok(Device::wgpu(index.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu)))
            }
            #[cfg(feature = "cuda")]
            ("cuda", index) => Ok(Device::cuda(index.unwrap_or(0))),
            #[cfg(not(feature = "wgpu"))]
            ("wgpu", _) => bail!("this program was built without `wgpu`; build it anew with `--features wgpu`"),
            #[cfg(not(feature = "cuda"))]
            ("cuda", _) => bail!("this program was built without `cuda`; build it anew with `--features cuda`"),
            _ => bail!(self.unknown()),
        }
    }

    fn unknown(&self) -> String {
        format!(
            "unknown device `{}`; known: cpu, wgpu, cuda, and the second card of a machine as wgpu:1 or cuda:1",
            self.device
        )
    }

    /// Starts the threads that the libraries compute on.
    pub fn start_threads(&self) -> anyhow::Result<()> {
        let threads = self.threads();
        let started = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        started.with_context(|| format!("cannot start {threads} threads; give fewer with --threads"))
    }

    /// Threads to compute on.
    pub fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }
}
