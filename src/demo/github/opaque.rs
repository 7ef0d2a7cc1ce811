//! Text that means nothing to its reader: node ids and cursors, in base64.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 with padding, as cursors have it.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = letters(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Reads either alphabet, with or without padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let value = [STANDARD, URL_SAFE]
            .into_iter()
            .find_map(|alphabet| alphabet.iter().position(|known| *known == letter))?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xFF).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// A node id: a prefix that tells the type, and numbers.
pub(in crate::demo) fn node_id(prefix: &str, numbers: &[u64]) -> String {
    let bytes: Vec<u8> =
        numbers.iter().flat_map(|number| u32::try_from(*number).unwrap_or(u32::MAX).to_be_bytes()).collect();
    format!("{prefix}_{}", letters(&bytes, URL_SAFE))
}

/// A node id made of words, for what is never looked up by id.
pub(in crate::demo) fn node_id_of_words(prefix: &str, words: &[&str]) -> String {
    format!("{prefix}_{}", letters(words.join("\n").as_bytes(), URL_SAFE))
}

/// The prefix and the numbers of a node id.
pub(super) fn read_node_id(id: &str) -> Option<(&str, Vec<u64>)> {
    let (prefix, rest) = id.split_once('_')?;
    let bytes = decode(rest)?;
    let numbers = bytes.chunks_exact(4).filter_map(|chunk| {
        let bytes: [u8; 4] = chunk.try_into().ok()?;
        Some(u64::from(u32::from_be_bytes(bytes)))
    });
    bytes.len().is_multiple_of(4).then(|| (prefix, numbers.collect()))
}

fn letters(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        for (slot, byte) in group.iter_mut().zip(chunk) {
            *slot = *byte;
        }
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for position in 0..=chunk.len() {
            let shift = 18 - 6 * u32::try_from(position).unwrap_or(0);
            let value = usize::try_from((bits >> shift) & 0x3F).unwrap_or(0);
            text.push(alphabet.get(value).copied().map_or('A', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_everybody() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(decode("!"), None);
    }

    #[test]
    fn a_node_id_is_read_back() {
        let id = node_id("PR", &[1_000_002, 17]);
        assert_eq!(read_node_id(&id), Some(("PR", vec![1_000_002, 17])));
        assert_eq!(read_node_id("nonsense"), None);
        assert_eq!(read_node_id("R_abc"), None);
    }
}
