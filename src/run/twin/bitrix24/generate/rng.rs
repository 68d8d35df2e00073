//! The generator's own randomness: small, seeded, and the same on every machine for ever.
//!
//! It must not depend on a crate whose streams may change between versions, nor on floating-point functions that
//! differ between platforms.

/// A stream of numbers from a seed: splitmix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// The stream that belongs to a seed and a place, so that one value never depends on how many came before it.
    pub(super) fn at(seed: u64, place: &[u64]) -> Self {
        let mut rng = Rng(seed);
        for part in place {
            rng.0 = rng.next() ^ part.wrapping_mul(0xff51_afd7_ed55_8ccd);
        }
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when `n` is 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(n);
        (wide >> 64) as u64
    }

    /// An index of a list of this length; 0 when it is empty.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability; what is not a number counts as 0.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of the words; the empty word when there are none.
    pub(super) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words.get(self.index(words.len())).copied().unwrap_or("")
    }
}

/// FNV-1a over the bytes of a name: the place of a field in the streams.
pub(super) fn salt(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // Reference values of splitmix64 for the seed 1234567.
        let mut rng = Rng(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
        assert_eq!(rng.next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn places_have_streams_of_their_own() {
        let first = |place: &[u64]| Rng::at(7, place).next();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1, 2]), first(&[1, 3]));
        assert_ne!(Rng::at(7, &[1]).next(), Rng::at(8, &[1]).next());
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::at(1, &[]);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.pick(&[]), "");
        assert!(!rng.chance(f64::NAN));
        let mut seen = [false; 7];
        for _ in 0..1000 {
            seen[rng.index(7)] = true;
            assert!((0.0..1.0).contains(&rng.unit()));
        }
        assert_eq!(seen, [true; 7]);
    }
}
