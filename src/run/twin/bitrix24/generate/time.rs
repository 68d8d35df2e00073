//! Moments and days as a portal prints them, in the offset of its server.

use jiff::{Timestamp, tz::Offset};

/// Prints times with one offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Offset);

impl Clock {
    /// The offset in whole hours; one that no place on earth has counts as UTC.
    pub(super) fn new(hours: i8) -> Self {
        Clock(Offset::from_hours(hours).unwrap_or(Offset::UTC))
    }

    /// `2024-08-30T14:29:00+03:00` for Unix seconds.
    pub(super) fn moment(self, seconds: i64) -> String {
        self.print(seconds, None)
    }

    /// A day as the API prints it: a date-time whose clock shows the offset, `2024-08-30T03:00:00+03:00`.
    pub(super) fn day(self, seconds: i64) -> String {
        self.print(seconds, Some((self.0.seconds() / 3600).max(0)))
    }

    /// `+03:00`.
    pub(super) fn zone(self) -> String {
        let offset = self.0.seconds();
        let sign = if offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}:00", offset.abs() / 3600)
    }

    fn print(self, seconds: i64, hour: Option<i32>) -> String {
        let at = self.0.to_datetime(Timestamp::from_second(seconds).unwrap_or_default());
        let (h, m, s) = match hour {
            Some(hour) => (hour, 0, 0),
            None => (i32::from(at.hour()), at.minute(), at.second()),
        };
        format!("{}T{h:02}:{m:02}:{s:02}{}", at.date(), self.zone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_portal_does() {
        assert_eq!(Clock::new(3).moment(1_725_017_340), "2024-08-30T14:29:00+03:00");
        assert_eq!(Clock::new(2).day(1_725_017_340), "2024-08-30T02:00:00+02:00");
        // The portal's day, not Greenwich's.
        assert_eq!(Clock::new(3).day(1_725_051_600), "2024-08-31T03:00:00+03:00");
        assert_eq!(Clock::new(-5).day(1_725_017_340), "2024-08-30T00:00:00-05:00");
        assert_eq!(Clock::new(-5).moment(1_725_017_340), "2024-08-30T06:29:00-05:00");
    }

    #[test]
    fn odd_input_is_printed_all_the_same() {
        assert!(Clock::new(120).moment(i64::MAX).ends_with("+00:00"));
    }
}
