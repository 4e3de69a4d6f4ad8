//! What the targets share: how fast something reads inputs of growing size, so that quadratic time shows.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Sizes of the inputs, in bytes; each four times the one before.
const SIZES: [usize; 5] = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];
/// An input that takes longer is the last of its row.
const ENOUGH: Duration = Duration::from_secs(5);

/// Prints one row: MB/s at each size up to this one. In linear time they are about the same; in quadratic time each is a quarter of the
/// one before.
pub fn print_speed<I>(what: &str, max_bytes: usize, input: impl Fn(usize) -> I, read: impl Fn(&I)) {
    let mut row = String::new();
    for size in SIZES.into_iter().filter(|size| *size <= max_bytes) {
        let input = input(size);
        let start = Instant::now();
        read(&input);
        let took = start.elapsed();
        let speed = size as f64 / took.as_secs_f64() / 1e6;
        row += &format!("  {} KiB: {speed:.1}", size >> 10);
        if took > ENOUGH {
            row += "  (too slow to go on)";
            break;
        }
    }
    println!("MB/s  {what:<24}{row}");
}
