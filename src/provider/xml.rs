//! As much XML as answers of AWS and Azure need: elements and their text. No entities but the five, no DTD, bounded depth.

/// Elements inside each other, at most; deeper ones make an answer unreadable.
const DEPTH: usize = 16;

/// An element without its attributes and prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Name without prefix.
    pub(super) name: String,
    /// Text directly inside, joined.
    pub(super) text: String,
    /// Elements inside.
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first element at a path of names below this one.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        self.children.iter().find(|c| c.name == *first)?.at(rest)
    }

    /// Text of the first element at a path, without blanks around it.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        Some(self.at(path)?.text.trim())
    }
}

/// The root element, if the text is one well-formed element and nothing that this reader does not know.
pub(super) fn parse(text: &str) -> Option<Element> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    let mut open: Vec<Element> = Vec::new();
    loop {
        let start = rest.find('<')?;
        let (before, tag) = rest.split_at(start);
        match open.last_mut() {
            Some(element) => element.text.push_str(&unescaped(before)?),
            None if before.trim().is_empty() => {}
            None => return None,
        }
        if let Some(after) = tag.strip_prefix("<!--") {
            rest = after.split_once("-->")?.1;
            continue;
        }
        if let Some(after) = tag.strip_prefix("<?") {
            rest = after.split_once("?>")?.1;
            continue;
        }
        // A document type could declare entities.
        if tag.starts_with("<!") {
            return None;
        }
        let end = tag_end(tag)?;
        let (inside, after) = (&tag[1..end], &tag[end + 1..]);
        rest = after;
        let done = if let Some(name) = inside.strip_prefix('/') {
            let element = open.pop()?;
            if element.name != local(name.trim())? {
                return None;
            }
            element
        } else {
            let name = inside.trim_end_matches('/');
            let element = Element {
                name: local(name.split_ascii_whitespace().next()?)?.to_owned(),
                ..Element::default()
            };
            if !inside.ends_with('/') {
                if open.len() == DEPTH {
                    return None;
                }
                open.push(element);
                continue;
            }
            element
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(done),
            None => return rest.trim().is_empty().then_some(done),
        }
    }
}

/// Where a tag ends; `>` may stand in the value of an attribute.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn local(name: &str) -> Option<&str> {
    let name = name.rsplit(':').next()?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let code = match number.strip_prefix("#x") {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.strip_prefix('#')?.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_whatever_their_prefix_and_attributes() {
        let root = parse(
            "<?xml version='1.0'?>\n<a:R xmlns:a=\"urn:x>y\"><!-- no --><Code>A&amp;B&#x21;</Code><E/><L><m>1</m><m>2</m></L></a:R>\n",
        )
        .expect("well-formed");
        assert_eq!(root.name, "R");
        assert_eq!(root.text_at(&["Code"]), Some("A&B!"));
        assert_eq!(root.at(&["L"]).map(|l| l.children.len()), Some(2));
        assert_eq!(root.text_at(&["E"]), Some(""));
        assert_eq!(root.at(&["E", "x"]), None);
    }

    #[test]
    fn what_is_not_one_whole_element_is_nothing() {
        let deep = "<a>".repeat(100_000);
        for bad in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a></a><b></b>",
            "<a></a>text",
            "<!DOCTYPE html><html></html>",
            "<a>&unknown;</a>",
            "<a>&#xD800;</a>",
            "<a",
            "</a>",
            "<>x</>",
            "<!DOCTYPE x [<!ENTITY e \"x\">]><a>&e;</a>",
            &deep,
        ] {
            assert_eq!(parse(bad), None, "{}", &bad[..bad.len().min(40)]);
        }
    }
}
