//! Parameters of the loader.

use crate::{
    JitterConfig, ResizeRule, Result,
    augment::{CopyPasteConfig, CropConfig, MosaicConfig, ShortSideConfig, chance, require},
};

/// Mean of ImageNet's pictures per channel, RGB in 0..=1.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviation of ImageNet's pictures per channel, RGB in 0..=1.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Largest side of a batch, in pixels; a typing error in a recipe must not ask for terabytes.
const MAX_IMAGE_SIZE: usize = 16_384;

/// Most worker threads and batches loaded ahead.
const MAX_WORKERS: usize = 1024;

/// How pictures become batches.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// The longer side of every picture is brought to this many pixels, up or down; with `short_side` it gets no longer than this.
    pub image_size: usize,
    /// Sizes of the shorter side, one of which is drawn for each picture; off by default.
    pub short_side: ShortSideConfig,
    /// How sizes are rounded and pixels made.
    pub resize: ResizeRule,
    /// Height and width of a batch are padded to a multiple of this: the coarsest stride of the detector.
    pub stride: usize,
    /// Whether pictures are turned as their EXIF says; false as in COCO, whose boxes belong to the pixels as stored.
    pub upright: bool,
    /// Chance of a picture being mirrored left to right.
    pub flip: f32,
    /// Changes of colour.
    pub jitter: JitterConfig,
    /// The size of a picture is multiplied by a factor from this range; what no longer fits `image_size` is cut off at random.
    pub scale_range: (f32, f32),
    /// Random crops; off by default.
    pub crop: CropConfig,
    /// Mosaics of four pictures; off by default.
    pub mosaic: MosaicConfig,
    /// Objects of rare classes cut out of other pictures; off by default.
    pub copy_paste: CopyPasteConfig,
    /// Objects of which a cut or a pasted object leaves less than this share are no targets any more, but not background either.
    pub min_shown: f32,
    /// Subtracted from the channels, RGB in 0..=1.
    pub mean: [f32; 3],
    /// The channels are divided by this, RGB in 0..=1.
    pub std: [f32; 3],
    /// Whether batches carry the masks of their objects; switched on by a detector that learns masks, no key of a recipe.
    #[serde(skip)]
    pub masks: bool,
    /// Worker threads; 0 loads in the calling thread.
    pub workers: usize,
    /// Batches that may be finished or in work ahead of the reader.
    pub prefetch: usize,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            image_size: 640,
            short_side: ShortSideConfig::default(),
            resize: ResizeRule::default(),
            stride: 32,
            upright: false,
            flip: 0.0,
            jitter: JitterConfig::NONE,
            scale_range: (1.0, 1.0),
            crop: CropConfig::default(),
            mosaic: MosaicConfig::default(),
            copy_paste: CopyPasteConfig::default(),
            min_shown: 0.2,
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
            masks: false,
            workers: 1,
            prefetch: 4,
        }
    }
}

impl LoaderConfig {
    /// Whether the masks of the data set are needed.
    pub fn needs_masks(&self) -> bool {
        self.masks || self.copy_paste.is_on()
    }

    /// The same without any augmentation, for scoring: of several short sides, the largest; and without masks.
    pub fn without_augmentation(self) -> Self {
        Self {
            short_side: self.short_side.largest(),
            flip: 0.0,
            jitter: JitterConfig::NONE,
            scale_range: (1.0, 1.0),
            crop: CropConfig::default(),
            mosaic: MosaicConfig::default(),
            copy_paste: CopyPasteConfig::default(),
            masks: false,
            ..self
        }
    }

    /// Pixels of the batch for each pixel of a picture of this size, without any jitter.
    pub(crate) fn usual_scale(&self, width: u32, height: u32) -> f64 {
        let (longer, shorter) = (f64::from(width.max(height).max(1)), f64::from(width.min(height).max(1)));
        let most = self.image_size as f64 / longer;
        if self.short_side.is_on() { most.min(self.short_side.to as f64 / shorter) } else { most }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`DataError::Option`](crate::DataError::Option) for the first value out of range.
    pub fn check(&self) -> Result<()> {
        let (low, high) = self.scale_range;
        require((1..=MAX_IMAGE_SIZE).contains(&self.image_size), "image_size", self.image_size, "1 to 16384")?;
        require((1..=MAX_IMAGE_SIZE).contains(&self.stride), "stride", self.stride, "1 to 16384")?;
        chance("flip", self.flip)?;
        let ordered = 0.05 <= low && low <= high && high <= 20.0;
        require(ordered, "scale_range", format!("{low} to {high}"), "two factors, the smaller first, 0.05 to 20")?;
        require((0.0..=1.0).contains(&self.min_shown), "min_shown", self.min_shown, "a share, 0 to 1")?;
        let finite = self.mean.iter().all(|m| m.is_finite());
        require(finite, "mean", format!("{:?}", self.mean), "three finite numbers")?;
        let positive = self.std.iter().all(|s| s.is_normal() && *s > 0.0);
        require(positive, "std", format!("{:?}", self.std), "three positive numbers")?;
        require(self.workers <= MAX_WORKERS, "workers", self.workers, "0 to 1024")?;
        require((1..=MAX_WORKERS).contains(&self.prefetch), "prefetch", self.prefetch, "1 to 1024")?;
        self.jitter.check()?;
        self.short_side.check()?;
        self.crop.check()?;
        self.mosaic.check()?;
        self.copy_paste.check()
    }
}
