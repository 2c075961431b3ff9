//! The path of a parameter while a module is walked.

/// Names of the modules around a parameter.
///
/// The variant of an enum is left out: a norm layer has the same name whether it is frozen or not, so that weights of one
/// fit the other.
#[derive(Debug, Default)]
pub struct ParamPath(Vec<String>);

impl ParamPath {
    /// To be called from `enter_module`.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_string());
        }
    }

    /// To be called from `exit_module`.
    pub fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    /// The path, joined by dots.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}
