//! A small part of the MP4 box format, to make broken and unusual files.

/// The boxes of a file or of a box's content: `(type, content)`. Panics on anything but 32-bit sizes.
fn boxes(data: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    let mut rest = data;
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, kind @ ..] = *header;
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        let (content, next) = after.split_at(size - 8);
        found.push((kind, content));
        rest = next;
    }
    found
}

/// One box.
pub(crate) fn make_box(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).expect("a box below 4 GiB");
    [&size.to_be_bytes()[..], &kind, content].concat()
}

/// Replaces the content of every box at `path`, and corrects the sizes of all boxes around it.
pub(crate) fn replace(data: &[u8], path: &[&[u8; 4]], content: &[u8]) -> Vec<u8> {
    let Some((first, deeper)) = path.split_first() else {
        return content.to_vec();
    };
    boxes(data)
        .into_iter()
        .flat_map(|(kind, inner)| match kind == **first {
            true => make_box(kind, &replace(inner, deeper, content)),
            false => make_box(kind, inner),
        })
        .collect()
}

/// Types of the boxes on the top level, in order.
#[cfg(test)]
pub(crate) fn top_level(data: &[u8]) -> Vec<[u8; 4]> {
    boxes(data).into_iter().map(|(kind, _)| kind).collect()
}
