//! Seeds and streams: every random draw of a run, from one `u64`.
//!
//! One seed gives every machine a stream of its own for each purpose. The streams, and the draws
//! made from them, are computed here with integer arithmetic alone (and a software logarithm), so
//! that the same seed draws the same values on any machine and with any version of a library.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoroshiro128PlusPlus;

use crate::model::id::VmId;
use crate::model::time::Nanos;

/// The one number from which all that is random in a run is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

/// What a machine draws a stream's values for. Separate streams keep one purpose's draws from
/// shifting another's: asking for message loss changes no machine's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The machine's tick rate.
    Rate = 0,
    /// When its first tick is due.
    Phase = 1,
    /// The error of its physical clock.
    Skew = 2,
    /// What it does at its ticks.
    Workload = 3,
    /// What the network does with the messages that it sends.
    Network = 4,
}

impl Seed {
    /// A seed that people can copy from wherever it stands: spreadsheets keep no more than fifteen digits of a number.
    #[must_use]
    pub const fn to_copy(bits: u64) -> Self {
        Self(bits % 1_000_000_000_000_000)
    }

    /// The seed of the k-th of several runs, [to be copied](Self::to_copy).
    #[must_use]
    pub fn of_run(self, k: u32) -> Self {
        Self::to_copy(scramble(scramble(self.0).wrapping_add(u64::from(k))))
    }

    /// The seed from which those of a condition's runs follow, where an experiment has this one: what the condition says
    /// decides, not its place.
    #[must_use]
    pub fn of_condition(self, says: &str) -> Self {
        let length = says.len() as u64;
        let words = says.as_bytes().chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        // The length tells a text from one that goes on with zeros.
        Self(words.chain([length]).fold(scramble(self.0), |state, word| scramble(state ^ word)))
    }

    /// The seed of what a machine draws after so many events where its streams of before are lost.
    #[must_use]
    pub fn after(self, events: u64) -> Self {
        Self(scramble(scramble(self.0) ^ scramble(events)))
    }

    /// The stream of one machine for one purpose.
    pub fn stream(self, vm: VmId, purpose: Purpose) -> Stream {
        // Both steps are bijections, so no two of a run's streams start from the same key.
        let place = u64::from(vm.0) << 8 | purpose as u64;
        Stream(Xoroshiro128PlusPlus::seed_from_u64(scramble(scramble(self.0) ^ place)))
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads every bit.
pub(crate) fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// A reproducible stream of draws.
///
/// The generator is xoroshiro128++ (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021): it is
/// specified to the bit, so that its values are the same for ever, and its state is 16 bytes, of which every machine
/// has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Xoroshiro128PlusPlus);

impl Stream {
    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number from 0 up to, not including, `bound`; 0 where `bound` is 0.
    ///
    /// Unbiased, by the multiply-and-reject method of Lemire (2019).
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of a draw times the bound is a number below the bound. Where the bound does not divide 2^64, some
        // numbers would come from one draw more than others: the low half shows such a draw, which is made again.
        let mut product = u128::from(self.bits()) * u128::from(bound);
        // Only a low half below `bound` can be one too many of its kind; then it costs a division.
        if low_half(product) < bound {
            // 2^64 mod bound, of which 2^64 itself has no place in 64 bits.
            let surplus = bound.wrapping_neg() % bound;
            while low_half(product) < surplus {
                product = u128::from(self.bits()) * u128::from(bound);
            }
        }
        let drawn = (product >> 64) as u64;
        debug_assert!(drawn < bound || bound == 0, "{drawn} is drawn from below {bound}");
        drawn
    }

    /// A time from `low` to `high`, both included.
    pub fn between(&mut self, low: Nanos, high: Nanos) -> Nanos {
        debug_assert!(low <= high, "nothing is between {low} and {high}");
        low.plus(Nanos::new(self.below(high.minus(low).get().saturating_add(1))))
    }

    /// A time with the exponential distribution of that mean, rounded down to whole nanoseconds.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        // 53 random bits, shifted into (0, 1]: the logarithm is finite, the time at most 37 means.
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
        let unit = ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        debug_assert!(0.0 < unit && unit <= 1.0, "the logarithm of {unit}");
        // By inversion: -ln(U) is exponential where U is uniform. The logarithm is not the platform's, whose last digit
        // may differ from that of another.
        #[expect(clippy::cast_precision_loss, reason = "a mean is known to fewer digits than a double holds")]
        let nanos = -libm::log(unit) * mean.get() as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; saturates"
        )]
        Nanos::new(nanos as u64)
    }

    /// Whether something of that probability happens: a draw below `share` of 2^64.
    pub fn happens(&mut self, share: Share) -> bool {
        u128::from(self.bits()) < share.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low_half(product: u128) -> u64 {
    product as u64
}

/// A probability as a share of 2^64, from 0 (never) to 2^64 (always).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u128);

impl Share {
    /// The share of something that never happens.
    pub const NEVER: Self = Self(0);

    /// The share nearest to a probability; what is below 0 or no number is never, above 1 always.
    pub fn of(probability: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range; NaN is 0")]
        let share = (probability.clamp(0.0, 1.0) * 2f64.powi(64)) as u128;
        debug_assert!(share <= 1 << 64, "more than always");
        Self(share)
    }

    /// Whether this is the share of something that never happens.
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(seed: u64, vm: u32, purpose: Purpose) -> Stream {
        Seed(seed).stream(VmId(vm), purpose)
    }

    /// The values below are part of clocklab's promise: a seed means the same run in every version.
    #[test]
    fn a_seed_draws_the_same_values_forever() {
        let mut draws = stream(42, 0, Purpose::Workload);
        let bits: Vec<u64> = (0..3).map(|_| draws.bits()).collect();
        assert_eq!(bits, GOLDEN);
        let mut draws = stream(42, 1, Purpose::Network);
        assert_eq!((0..8).map(|_| draws.below(10)).collect::<Vec<_>>(), GOLDEN_BELOW_TEN);
        let mut draws = stream(42, 2, Purpose::Network);
        let mean = Nanos::new(5_000_000);
        assert_eq!((0..3).map(|_| draws.exponential(mean).get()).collect::<Vec<_>>(), GOLDEN_EXPONENTIAL);
    }

    const GOLDEN: [u64; 3] = [3_064_551_559_314_031_862, 2_171_761_819_088_654_154, 967_552_755_270_734_924];
    const GOLDEN_BELOW_TEN: [u64; 8] = [2, 4, 5, 8, 6, 2, 2, 0];
    const GOLDEN_EXPONENTIAL: [u64; 3] = [4_231_591, 8_836_162, 1_372_444];

    #[test]
    fn streams_differ_by_seed_machine_and_purpose() {
        let first = |seed, vm, purpose| stream(seed, vm, purpose).bits();
        let base = first(1, 1, Purpose::Rate);
        assert_ne!(base, first(2, 1, Purpose::Rate));
        assert_ne!(base, first(1, 2, Purpose::Rate));
        assert_ne!(base, first(1, 1, Purpose::Phase));
        assert_eq!(base, first(1, 1, Purpose::Rate));
    }

    #[test]
    fn a_die_is_fair() {
        let mut draws = stream(7, 0, Purpose::Workload);
        let mut sides = [0u32; 10];
        for _ in 0..100_000 {
            sides[usize::try_from(draws.below(10)).unwrap()] += 1;
        }
        // Ten thousand each; six standard deviations (95 each) either way.
        assert!(sides.iter().all(|&count| (9_430..=10_570).contains(&count)), "{sides:?}");
    }

    #[test]
    fn exponential_times_have_their_mean() {
        let mut draws = stream(7, 0, Purpose::Network);
        let total: u64 = (0..100_000).map(|_| draws.exponential(Nanos::new(1_000_000)).get()).sum();
        assert!((980_000..1_020_000).contains(&(total / 100_000)), "{total}");
    }

    #[test]
    fn never_never_happens_and_always_always_does() {
        let mut draws = stream(7, 0, Purpose::Network);
        assert!((0..1000).all(|_| !draws.happens(Share::of(0.0))));
        assert!((0..1000).all(|_| draws.happens(Share::of(1.0))));
        assert!(Share::of(f64::NAN).is_never());
    }

    proptest! {
        #[test]
        fn draws_stay_in_their_range(seed: u64, bound in 1u64.., low in 0u64..1000, length in 0u64..1000) {
            let mut draws = stream(seed, 0, Purpose::Workload);
            prop_assert!(draws.below(bound) < bound);
            let (low, high) = (Nanos::new(low), Nanos::new(low + length));
            let time = draws.between(low, high);
            prop_assert!(low <= time && time <= high);
        }
    }
}
