//! Whole numbers of any size, as clocks keep and logs write them: 64 bits after 64 bits, the lowest first, and no zeros at
//! the end but for 0 itself.

/// Takes zeros from the end away.
pub(crate) fn trim(number: &mut Vec<u64>) {
    while number.len() > 1 && number.last() == Some(&0) {
        number.pop();
    }
    if number.is_empty() {
        number.push(0);
    }
}

/// Multiplies it and adds something.
pub(crate) fn multiply_add(number: &mut Vec<u64>, factor: u64, more: u64) {
    let mut carry = u128::from(more);
    for word in &mut *number {
        carry += u128::from(*word) * u128::from(factor);
        *word = low(carry);
        carry >>= 64;
    }
    number.push(low(carry));
    trim(number);
}

/// Divides it, and tells the remainder.
pub(crate) fn divide(number: &mut Vec<u64>, divisor: u64) -> u64 {
    let mut rest = 0;
    for word in number.iter_mut().rev() {
        let part = u128::from(rest) << 64 | u128::from(*word);
        *word = low(part / u128::from(divisor));
        rest = low(part % u128::from(divisor));
    }
    trim(number);
    rest
}

/// Divides it where nothing remains, and tells whether that was so.
pub(crate) fn divide_if_even(number: &mut Vec<u64>, divisor: u64) -> bool {
    let rest = number
        .iter()
        .rev()
        .fold(0, |rest, word| low((u128::from(rest) << 64 | u128::from(*word)) % u128::from(divisor)));
    if rest == 0 {
        divide(number, divisor);
    }
    rest == 0
}

/// Whether nothing remains where the second is divided by the first, which is not 0.
///
/// Jebelean, "An Algorithm for Exact Division", 1993: from the lowest words on, an odd divisor's inverse modulo 2^64 gives
/// the one quotient that there can be; the division is even where nothing is left above it.
pub(crate) fn divides(divisor: &[u64], number: &[u64]) -> bool {
    let zeros = trailing_zeros(divisor);
    if number.iter().all(|word| *word == 0) {
        return true;
    }
    if trailing_zeros(number) < zeros {
        return false;
    }
    let (divisor, mut rest) = (shifted_right(divisor, zeros), shifted_right(number, zeros));
    if rest.len() < divisor.len() {
        return false;
    }
    let inverse = inverse(divisor[0]);
    for at in 0..=rest.len() - divisor.len() {
        let quotient = rest[at].wrapping_mul(inverse);
        if !take_away(&mut rest[at..], &divisor, quotient) {
            return false;
        }
    }
    rest.iter().all(|word| *word == 0)
}

/// Takes a multiple of the second away from the first; false where that was less.
fn take_away(rest: &mut [u64], divisor: &[u64], quotient: u64) -> bool {
    let mut carry = 0_u128;
    for (place, word) in rest.iter_mut().enumerate() {
        carry += u128::from(divisor.get(place).copied().unwrap_or(0)) * u128::from(quotient);
        let (difference, is_less) = word.overflowing_sub(low(carry));
        *word = difference;
        carry = (carry >> 64) + u128::from(is_less);
        if carry == 0 && place >= divisor.len() {
            return true;
        }
    }
    carry == 0
}

/// What an odd number has to be multiplied by to give 1 modulo 2^64, by Newton's method: each step doubles the bits.
fn inverse(odd: u64) -> u64 {
    debug_assert!(odd % 2 == 1, "an even number has no inverse");
    (0..6).fold(odd, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse))))
}

fn trailing_zeros(number: &[u64]) -> usize {
    let words = number.iter().take_while(|word| **word == 0).count();
    64 * words + number.get(words).map_or(0, |word| word.trailing_zeros() as usize)
}

fn shifted_right(number: &[u64], bits: usize) -> Vec<u64> {
    let (words, bits) = (bits / 64, bits % 64);
    let number = number.get(words..).unwrap_or_default();
    let above = |at: usize| number.get(at + 1).copied().unwrap_or(0);
    let shifted = |(at, word): (usize, &u64)| low((u128::from(above(at)) << 64 | u128::from(*word)) >> bits);
    let mut shifted: Vec<u64> = number.iter().enumerate().map(shifted).collect();
    trim(&mut shifted);
    shifted
}

/// The most digits that are read or written at once.
const AT_ONCE: u32 = 19;

/// In digits.
pub(crate) fn decimal(number: &[u64]) -> String {
    let mut number = number.to_vec();
    trim(&mut number);
    let mut parts = Vec::new();
    while number != [0] {
        parts.push(divide(&mut number, 10_u64.pow(AT_ONCE)));
    }
    let first = parts.pop().unwrap_or(0).to_string();
    parts.iter().rev().fold(first, |text, part| text + &format!("{part:019}"))
}

/// Out of digits; none where there are other signs, or nothing.
pub(crate) fn from_decimal(text: &[u8]) -> Option<Vec<u64>> {
    let mut number = vec![0];
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    for part in text.chunks(AT_ONCE as usize).take_while(|_| is_number) {
        let value = part.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
        multiply_add(&mut number, 10_u64.pow(u32::try_from(part.len()).ok()?), value);
    }
    is_number.then_some(number)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn low(number: u128) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(value: u128) -> Vec<u64> {
        let mut number = vec![low(value), low(value >> 64)];
        trim(&mut number);
        number
    }

    fn product(factors: &[u64]) -> Vec<u64> {
        let mut number = vec![1];
        factors.iter().for_each(|factor| multiply_add(&mut number, *factor, 0));
        number
    }

    #[test]
    fn a_factorial_has_its_digits() {
        let factorial = product(&(1..=30).collect::<Vec<_>>());
        assert_eq!(decimal(&factorial), "265252859812191058636308480000000");
        assert!(divides(&product(&[30, 29, 28, 27]), &factorial) && !divides(&[31], &factorial));
        assert_eq!((decimal(&[0]), decimal(&[7])), ("0".into(), "7".into()));
        assert!(["", "1.0", "+1", " 1"].iter().all(|text| from_decimal(text.as_bytes()).is_none()));
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_are_written(words in proptest::collection::vec(any::<u64>(), 1..9)) {
            let mut words = words;
            trim(&mut words);
            prop_assert_eq!(from_decimal(decimal(&words).as_bytes()), Some(words));
        }

        #[test]
        fn small_ones_are_what_the_processor_says(a: u128, b in 1u64.., c in 1u128..) {
            prop_assert_eq!(decimal(&number(a)), a.to_string());
            let mut quotient = number(a);
            prop_assert_eq!(u128::from(divide(&mut quotient, b)), a % u128::from(b));
            prop_assert_eq!(quotient, number(a / u128::from(b)));
            prop_assert_eq!(divides(&number(c), &number(a)), a % c == 0);
        }

        #[test]
        fn a_product_is_divided_by_its_factors_and_their_product_alone(
            factors in proptest::collection::vec(1u64.., 1..6), others in proptest::collection::vec(1u64.., 0..6), off in 1u64..9,
        ) {
            let divisor = product(&factors);
            let mut number = product(&[&factors[..], &others].concat());
            prop_assert!(divides(&divisor, &number));
            multiply_add(&mut number, 1, off);
            prop_assert!(!divides(&divisor, &number) || divides(&divisor, &[off]));
        }
    }
}
