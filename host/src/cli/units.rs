//! Sizes, times and rates, as people write and read them.

use std::time::Duration;

/// Reads `1048576`, `64k`, `64KiB`, `1.5M`, `4GiB`: units of 1024, whatever their spelling.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a size: write bytes, or a number with K, M, G or T (1 MiB: 1M)");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(1 << shift).ok_or_else(wrong);
    }
    let bytes = number.parse::<f64>().map_err(|_| wrong())? * (1u64 << shift) as f64;
    if bytes.fract() == 0.0 && bytes < (1u64 << 53) as f64 { Ok(bytes as u64) } else { Err(wrong()) }
}

/// Reads a size that is to move in a second, `500K`, `10M` or `10M/s`, at least so many bytes.
pub(crate) fn parse_rate(text: &str, least: u64) -> Result<u64, String> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    let bytes = parse_size(size).map_err(|_| format!("'{text}' is not a rate: write bytes a second, or a number with K, M, G or T (1 MiB a second: 1M)"))?;
    if bytes >= least { Ok(bytes) } else { Err(format!("'{text}' is less than {} a second", show_size(least))) }
}

/// Reads `30`, which is seconds, `500ms`, `2m`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.or_else(|| humantime::parse_duration(text).ok()).ok_or_else(|| format!("'{text}' is not a time: write seconds, or a number with ms, s, m or h"))
}

/// `0 B`, `1023 B`, `1.0 KiB`, `26.7 MiB`.
pub(crate) fn show_size(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut unit = "B";
    while size >= 1024.0 {
        let Some(next) = units.next() else { break };
        (size, unit) = (size / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn show_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Bytes a second.
pub(crate) fn show_rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{}/s", show_size((bytes as f64 / seconds) as u64))
}

/// `1 file`, `1,234 files`; without a `word`, the number alone.
pub(crate) fn show_count(count: u64, word: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match word {
        "" => text,
        _ if count == 1 => format!("{text} {word}"),
        _ => format!("{text} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_usual_spelling() {
        let sizes = [("0", 0), ("1048576", 1 << 20), ("64k", 64 << 10), ("1.5M", 3 << 19), ("4GiB", 4 << 30), ("1 MiB", 1 << 20), ("7B", 7)];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1x", "1.0001k", "99999999999999999999", "16777216T", "1..5M", "nan"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_sizes_a_second() {
        assert_eq!([parse_rate("500k", 1).unwrap(), parse_rate("10M/s", 1).unwrap(), parse_rate("7", 7).unwrap()], [500 << 10, 10 << 20, 7]);
        assert_eq!(parse_rate("1023", 1024).unwrap_err(), "'1023' is less than 1.0 KiB a second");
        for text in ["0", "fast", "-1M", "10M/m", "/s"] {
            assert!(parse_rate(text, 1).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_unit() {
        for (text, milliseconds) in [("30", 30_000), ("0.5", 500), ("500ms", 500), ("2m", 120_000)] {
            assert_eq!(parse_time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert!(parse_time("soon").is_err() && parse_time("-1").is_err());
    }

    #[test]
    fn many_are_counted_in_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(|count| show_count(count, "")), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 2].map(|count| show_count(count, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn sizes_and_times_are_shown_short() {
        assert_eq!([0, 1023, 1024, 27_997_000].map(show_size), ["0 B", "1023 B", "1.0 KiB", "26.7 MiB"]);
        assert_eq!([400, 12_000, 185_000, 7_800_000].map(|t| show_time(Duration::from_millis(t))), ["0.4 s", "12 s", "3 min 05 s", "2 h 10 min"]);
        assert_eq!(show_rate(1 << 20, Duration::from_millis(500)), "2.0 MiB/s");
        assert_eq!(show_rate(0, Duration::ZERO), "0 B/s");
    }
}
