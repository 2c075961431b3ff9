//! A reader of JSON for files of our own: numbers, texts without escapes of code points, lists, objects.

/// A value.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Keys and values, in order.
    Object(Vec<(String, Value)>),
}

/// Reads a whole text; the error says where it stops being JSON.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() { Err(reader.wrong("the end")) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, String> {
        self.space();
        match self.text[self.at..].chars().next() {
            Some('{') => self.list('{', '}', Self::entry).map(Value::Object),
            Some('[') => self.list('[', ']', Self::value).map(Value::List),
            Some('"') => self.text().map(Value::Text),
            _ => self.word(),
        }
    }

    fn entry(&mut self) -> Result<(String, Value), String> {
        self.space();
        let key = self.text()?;
        self.eat(':')?;
        Ok((key, self.value()?))
    }

    fn list<T>(&mut self, open: char, close: char, item: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        self.eat(open)?;
        let mut items = Vec::new();
        if self.eat(close).is_ok() {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(close).is_ok() {
                return Ok(items);
            }
            self.eat(',')?;
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let rest = self.text[self.at..].strip_prefix('"').ok_or_else(|| self.wrong("a text"))?;
        let (mut out, mut characters) = (String::new(), rest.char_indices());
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += offset + 2;
                    return Ok(out);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, escaped @ ('"' | '\\' | '/'))) => out.push(escaped),
                    _ => return Err(self.wrong("an escape that this reader knows")),
                },
                other => out.push(other),
            }
        }
        Err(self.wrong("a closing quote"))
    }

    fn word(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let length = rest.find([',', ']', '}', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
        let value = match &rest[..length] {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            number => Value::Number(number.parse().map_err(|_| self.wrong("a value"))?),
        };
        self.at += length;
        Ok(value)
    }

    fn eat(&mut self, wanted: char) -> Result<(), String> {
        self.space();
        if !self.text[self.at..].starts_with(wanted) {
            return Err(self.wrong(&format!("`{wanted}`")));
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, expected: &str) -> String {
        let before = &self.text[..self.at];
        let column = self.at - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        format!("line {}, column {column}: expected {expected}", before.matches('\n').count() + 1)
    }
}
