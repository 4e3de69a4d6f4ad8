//! Pictures for those who have none: an initial on a colour from the id, and a background of that colour. Drawn here, pixel by pixel, so that no font
//! and no program is needed.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};

/// Backgrounds of avatars, dark enough for white letters.
const COLOURS: [[u8; 3]; 12] = [
    [0xd8, 0x4a, 0x4a],
    [0xc7, 0x5b, 0x12],
    [0x9a, 0x6e, 0x00],
    [0x5c, 0x7f, 0x17],
    [0x1f, 0x86, 0x4f],
    [0x0b, 0x80, 0x80],
    [0x1b, 0x76, 0xb3],
    [0x3f, 0x62, 0xc4],
    [0x6a, 0x54, 0xc0],
    [0x95, 0x47, 0xae],
    [0xb8, 0x40, 0x83],
    [0x6b, 0x6f, 0x76],
];
const SIDE: usize = 192;
const BACKGROUND: (usize, usize) = (480, 160);
/// Half the width of a stroke, in units of a letter's grid.
const STROKE: f32 = 0.42;

/// A row of points.
type Stroke = &'static [(f32, f32)];

/// Strokes of letters on a grid of 4 by 6, y downwards. Of letters that aren't here a head and shoulders are drawn.
const GLYPHS: [(char, &[Stroke]); 36] = [
    (
        'A',
        &[&[(0., 6.), (2., 0.), (4., 6.)], &[(0.8, 4.), (3.2, 4.)]],
    ),
    (
        'B',
        &[
            &[
                (0., 0.),
                (0., 6.),
                (2.6, 6.),
                (3.7, 5.4),
                (3.7, 3.7),
                (2.6, 3.),
                (0., 3.),
            ],
            &[(0., 0.), (2.4, 0.), (3.4, 0.6), (3.4, 2.4), (2.6, 3.)],
        ],
    ),
    (
        'C',
        &[&[
            (4., 1.2),
            (3., 0.),
            (1.2, 0.),
            (0., 1.4),
            (0., 4.6),
            (1.2, 6.),
            (3., 6.),
            (4., 4.8),
        ]],
    ),
    (
        'D',
        &[&[
            (0., 0.),
            (0., 6.),
            (2.2, 6.),
            (4., 4.4),
            (4., 1.6),
            (2.2, 0.),
            (0., 0.),
        ]],
    ),
    (
        'E',
        &[
            &[(3.8, 0.), (0., 0.), (0., 6.), (3.8, 6.)],
            &[(0., 3.), (3.2, 3.)],
        ],
    ),
    (
        'F',
        &[&[(3.8, 0.), (0., 0.), (0., 6.)], &[(0., 3.), (3.2, 3.)]],
    ),
    (
        'G',
        &[&[
            (4., 1.2),
            (3., 0.),
            (1.2, 0.),
            (0., 1.4),
            (0., 4.6),
            (1.2, 6.),
            (3., 6.),
            (4., 4.8),
            (4., 3.2),
            (2.4, 3.2),
        ]],
    ),
    (
        'H',
        &[
            &[(0., 0.), (0., 6.)],
            &[(4., 0.), (4., 6.)],
            &[(0., 3.), (4., 3.)],
        ],
    ),
    (
        'I',
        &[
            &[(2., 0.), (2., 6.)],
            &[(0.8, 0.), (3.2, 0.)],
            &[(0.8, 6.), (3.2, 6.)],
        ],
    ),
    (
        'J',
        &[&[(3.4, 0.), (3.4, 4.6), (2.4, 6.), (1., 6.), (0.2, 4.8)]],
    ),
    (
        'K',
        &[
            &[(0., 0.), (0., 6.)],
            &[(3.8, 0.), (0., 3.4)],
            &[(1.4, 2.4), (4., 6.)],
        ],
    ),
    ('L', &[&[(0., 0.), (0., 6.), (3.8, 6.)]]),
    (
        'M',
        &[&[(-0.4, 6.), (-0.4, 0.), (2., 3.6), (4.4, 0.), (4.4, 6.)]],
    ),
    ('N', &[&[(0., 6.), (0., 0.), (4., 6.), (4., 0.)]]),
    (
        'O',
        &[&[
            (1.3, 0.),
            (2.7, 0.),
            (4., 1.5),
            (4., 4.5),
            (2.7, 6.),
            (1.3, 6.),
            (0., 4.5),
            (0., 1.5),
            (1.3, 0.),
        ]],
    ),
    (
        'P',
        &[&[
            (0., 6.),
            (0., 0.),
            (2.6, 0.),
            (3.9, 1.),
            (3.9, 2.4),
            (2.6, 3.4),
            (0., 3.4),
        ]],
    ),
    (
        'Q',
        &[
            &[
                (1.3, 0.),
                (2.7, 0.),
                (4., 1.5),
                (4., 4.5),
                (2.7, 6.),
                (1.3, 6.),
                (0., 4.5),
                (0., 1.5),
                (1.3, 0.),
            ],
            &[(2.6, 4.4), (4.2, 6.4)],
        ],
    ),
    (
        'R',
        &[
            &[
                (0., 6.),
                (0., 0.),
                (2.6, 0.),
                (3.9, 1.),
                (3.9, 2.3),
                (2.6, 3.2),
                (0., 3.2),
            ],
            &[(2., 3.2), (4., 6.)],
        ],
    ),
    (
        'S',
        &[&[
            (3.8, 1.),
            (2.8, 0.),
            (1.2, 0.),
            (0.2, 1.),
            (0.4, 2.4),
            (3.6, 3.7),
            (3.8, 5.),
            (2.8, 6.),
            (1.1, 6.),
            (0., 4.9),
        ]],
    ),
    ('T', &[&[(0., 0.), (4., 0.)], &[(2., 0.), (2., 6.)]]),
    (
        'U',
        &[&[
            (0., 0.),
            (0., 4.5),
            (1.2, 6.),
            (2.8, 6.),
            (4., 4.5),
            (4., 0.),
        ]],
    ),
    ('V', &[&[(0., 0.), (2., 6.), (4., 0.)]]),
    (
        'W',
        &[&[(-0.6, 0.), (0.8, 6.), (2., 1.6), (3.2, 6.), (4.6, 0.)]],
    ),
    ('X', &[&[(0., 0.), (4., 6.)], &[(4., 0.), (0., 6.)]]),
    (
        'Y',
        &[&[(0., 0.), (2., 3.2), (4., 0.)], &[(2., 3.2), (2., 6.)]],
    ),
    ('Z', &[&[(0., 0.), (4., 0.), (0., 6.), (4., 6.)]]),
    (
        '0',
        &[&[
            (1.3, 0.),
            (2.7, 0.),
            (3.8, 1.5),
            (3.8, 4.5),
            (2.7, 6.),
            (1.3, 6.),
            (0.2, 4.5),
            (0.2, 1.5),
            (1.3, 0.),
        ]],
    ),
    ('1', &[&[(0.9, 1.2), (2.2, 0.), (2.2, 6.)]]),
    (
        '2',
        &[&[
            (0.2, 1.3),
            (1.2, 0.),
            (2.8, 0.),
            (3.8, 1.2),
            (3.5, 2.6),
            (0.2, 6.),
            (3.9, 6.),
        ]],
    ),
    (
        '3',
        &[&[
            (0.2, 1.),
            (1.2, 0.),
            (2.7, 0.),
            (3.6, 1.),
            (3.3, 2.4),
            (2., 2.9),
            (3.5, 3.5),
            (3.8, 4.9),
            (2.8, 6.),
            (1.2, 6.),
            (0.1, 5.),
        ]],
    ),
    ('4', &[&[(3., 6.), (3., 0.), (0., 4.2), (4., 4.2)]]),
    (
        '5',
        &[&[
            (3.6, 0.),
            (0.6, 0.),
            (0.3, 2.7),
            (2.4, 2.4),
            (3.8, 3.5),
            (3.8, 4.8),
            (2.6, 6.),
            (1.1, 6.),
            (0.1, 5.2),
        ]],
    ),
    (
        '6',
        &[&[
            (3.3, 0.2),
            (1.6, 0.6),
            (0.3, 2.6),
            (0.3, 4.6),
            (1.4, 6.),
            (2.7, 6.),
            (3.8, 4.8),
            (3.6, 3.4),
            (2.4, 2.6),
            (0.6, 3.2),
        ]],
    ),
    ('7', &[&[(0.1, 0.), (3.9, 0.), (1.6, 6.)]]),
    (
        '8',
        &[&[
            (2., 2.8),
            (0.6, 2.),
            (0.7, 0.7),
            (1.6, 0.),
            (2.4, 0.),
            (3.3, 0.7),
            (3.4, 2.),
            (2., 2.8),
            (0.3, 3.9),
            (0.3, 5.1),
            (1.4, 6.),
            (2.6, 6.),
            (3.7, 5.1),
            (3.7, 3.9),
            (2., 2.8),
        ]],
    ),
    (
        '9',
        &[&[
            (0.7, 5.8),
            (2.4, 5.4),
            (3.7, 3.4),
            (3.7, 1.4),
            (2.6, 0.),
            (1.3, 0.),
            (0.2, 1.2),
            (0.4, 2.6),
            (1.6, 3.4),
            (3.4, 2.8),
        ]],
    ),
];

/// What an avatar shows of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct DefaultPicture {
    colour: usize,
    /// None: a head and shoulders.
    letter: Option<char>,
}

impl DefaultPicture {
    /// Of the user with this id and name.
    pub(crate) fn of(user_id: i64, name: &str) -> Self {
        let initial = name.chars().next().map(|first| first.to_ascii_uppercase());
        let colours = COLOURS.len() as u64;
        Self {
            colour: usize::try_from(user_id.unsigned_abs() % colours).unwrap_or(0),
            letter: initial.filter(|letter| GLYPHS.iter().any(|(known, _)| known == letter)),
        }
    }

    /// Where the avatar is in the object store.
    pub(crate) fn avatar_key(self) -> String {
        let letter = self
            .letter
            .map_or_else(|| "person".to_owned(), String::from);
        format!("pictures/drawn/1-{}-{letter}.png", self.colour)
    }

    /// Where the background is in the object store.
    pub(crate) fn background_key(self) -> String {
        format!("pictures/drawn/1-{}-background.png", self.colour)
    }

    fn rgb(self) -> [u8; 3] {
        COLOURS
            .get(self.colour)
            .copied()
            .unwrap_or([0x6b, 0x6f, 0x76])
    }

    /// The avatar, as PNG.
    pub(crate) fn avatar(self) -> Vec<u8> {
        let glyph = GLYPHS.iter().find(|(known, _)| Some(*known) == self.letter);
        let unit = SIDE as f32 / 12.;
        png((SIDE, SIDE), |x, y| {
            // The letter stands in the middle: 4 by 6 of 12 by 12 units.
            let (u, v) = (x as f32 / unit - 4., y as f32 / unit - 3.);
            let distance = match glyph {
                Some((_, strokes)) => to_strokes(strokes, (u, v)) - STROKE,
                None => to_person((u, v)),
            };
            // One pixel wide, the edge is smooth.
            let inside = (0.5 - distance * unit).clamp(0., 1.);
            self.rgb().map(|part| mix(part, 0xff, inside * 0.95))
        })
    }

    /// The background, as PNG: the colour, paler towards the bottom.
    pub(crate) fn background(self) -> Vec<u8> {
        png(BACKGROUND, |_, y| {
            let share = y as f32 / BACKGROUND.1 as f32;
            self.rgb().map(|part| mix(part, 0xff, 0.15 + 0.45 * share))
        })
    }
}

fn mix(one: u8, other: u8, share: f32) -> u8 {
    let (one, other) = (f32::from(one), f32::from(other));
    (one + (other - one) * share).round() as u8
}

fn to_strokes(strokes: &[Stroke], point: (f32, f32)) -> f32 {
    let pairs = strokes
        .iter()
        .flat_map(|stroke| stroke.iter().zip(stroke.iter().skip(1)));
    pairs
        .map(|(from, to)| to_segment(*from, *to, point))
        .fold(f32::MAX, f32::min)
}

fn to_segment(from: (f32, f32), to: (f32, f32), point: (f32, f32)) -> f32 {
    let (along, off) = (
        (to.0 - from.0, to.1 - from.1),
        (point.0 - from.0, point.1 - from.1),
    );
    let length = along.0 * along.0 + along.1 * along.1;
    let share = ((off.0 * along.0 + off.1 * along.1) / length.max(f32::MIN_POSITIVE)).clamp(0., 1.);
    (off.0 - share * along.0).hypot(off.1 - share * along.1)
}

/// A head, and shoulders below it.
fn to_person((u, v): (f32, f32)) -> f32 {
    let head = (u - 2.).hypot(v - 1.4) - 1.7;
    let shoulders = (u - 2.).hypot((v - 7.2) * 0.95) - 3.2;
    head.min(shoulders.max(3.9 - v).max(v - 7.2))
}

/// A PNG of this width and height.
fn png((width, height): (usize, usize), pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut rows = Vec::with_capacity(height * (1 + 3 * width));
    for y in 0..height {
        // No filter.
        rows.push(0);
        (0..width).for_each(|x| rows.extend(pixel(x, y)));
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory can't fail.
    let _ = encoder.write_all(&rows);
    let data = encoder.finish().unwrap_or_default();
    let mut head = Vec::new();
    for side in [width, height] {
        head.extend(u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes());
    }
    // 8 bits of red, green and blue each.
    head.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &head), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        png.extend(
            u32::try_from(content.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        png.extend(kind);
        png.extend(content);
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(content);
        png.extend(sum.sum().to_be_bytes());
    }
    png
}

#[cfg(test)]
mod tests;
