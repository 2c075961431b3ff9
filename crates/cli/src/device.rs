//! Where tensors live.

use anyhow::{Context, bail};
use burn::tensor::Device;

/// Flags that choose the device and the threads.
#[derive(clap::Args, Clone, Debug)]
pub struct DeviceArgs {
    /// Device: cpu, or wgpu or cuda in a build with that feature
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    pub device: String,
    /// Threads for computation [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl DeviceArgs {
    /// The device.
    pub fn device(&self) -> anyhow::Result<Device> {
        match self.device.as_str() {
            "cpu" | "flex" => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            "cuda" => Ok(Device::cuda(0)),
            #[cfg(not(feature = "wgpu"))]
            "wgpu" => bail!("this program was built without `wgpu`; build it anew with `--features wgpu`"),
            #[cfg(not(feature = "cuda"))]
            "cuda" => bail!("this program was built without `cuda`; build it anew with `--features cuda`"),
            other => bail!("unknown device `{other}`; known: cpu, wgpu, cuda"),
        }
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
