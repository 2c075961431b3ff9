//! Protocol buffers as far as ONNX needs them (`onnx/onnx.proto`): numbers, text and messages within messages.

/// A message under construction; the fields come in the order of the calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// The message as bytes.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// A whole number; negative ones take ten bytes, as the format has it.
    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    /// A 32-bit fraction.
    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes, text, or a message of its own.
    pub(super) fn put(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// The same field several times.
    pub(super) fn put_all<B: AsRef<[u8]>>(self, field: u64, all: impl IntoIterator<Item = B>) -> Self {
        all.into_iter().fold(self, |message, bytes| message.put(field, bytes.as_ref()))
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::Message;

    /// The examples of the documentation of protocol buffers: field 1 is 150, and field 2 is "testing".
    #[test]
    fn fields_are_written_as_published() {
        assert_eq!(Message::default().int(1, 150).bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().put(2, b"testing").bytes(), *b"\x12\x07testing");
        assert_eq!(Message::default().int(20, -1).bytes().len(), 2 + 10);
        assert_eq!(Message::default().float(2, 1.0).bytes(), [0x15, 0, 0, 0x80, 0x3f]);
    }
}
