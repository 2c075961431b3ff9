//! `metrics.json`: a flat object from metric to fraction, in the protocol's order; `null` where a metric is not defined.

use std::fmt;
use std::path::Path;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::meta::{read_json, write_json};
use crate::error::Result;

/// Named scores in `0..=1`, in the protocol's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<(String, Option<f64>)>);

impl Metrics {
    /// The value of `key`, where there is one and it is defined.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.iter().find(|(k, _)| k == key).and_then(|(_, v)| *v)
    }

    /// Adds or replaces a value. A value that is not finite counts as not defined.
    pub fn set(&mut self, key: &str, value: Option<f64>) {
        let value = value.filter(|v| v.is_finite());
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some(slot) => slot.1 = value,
            None => self.0.push((key.to_string(), value)),
        }
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<f64>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), *value))
    }

    /// Reads `metrics.json`.
    ///
    /// # Errors
    /// A file that cannot be read or is no flat object of numbers.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path, "a flat object of metrics")
    }

    /// Writes `metrics.json`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_json(path, self)
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Metrics;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object from metric to number or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Metrics, A::Error> {
                let mut metrics = Metrics::default();
                while let Some((key, value)) = entries.next_entry::<String, Option<f64>>()? {
                    metrics.set(&key, value);
                }
                Ok(metrics)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
