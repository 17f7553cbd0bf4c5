//! The prime clock, or encoded vector clock: a vector in one number, a prime for each machine.
//!
//! Kshemkalyani, Khokhar and Shen, "Encoded Vector Clock: Using Primes to Characterize Causality in Distributed Systems",
//! ICDCN 2018, figure 1: an event multiplies the number by the machine's own prime, and a receive takes the least common
//! multiple first. The paper leaves open which primes: here machine i has prime number i from 2 on, the smallest there are.

use std::cmp::Ordering;
use std::sync::LazyLock;

use super::{Claim, Clock, Description, Form, Length, Moment, Occurrence, Promise, Setup, natural};
use crate::model::id::VmId;

/// The product of p(i)^v(i) over the machines, where v is the vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prime {
    number: Vec<u64>,
    own: u64,
    vms: usize,
}

/// Below this the primes of machines are looked for.
const PRIMES_END: usize = 1 << 17;

/// The most digits of a number in a cell: as many characters as a spreadsheet keeps of it.
const MOST_DIGITS: f64 = 32_767.0 - 2.0;

/// By the sieve of Eratosthenes.
static PRIMES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut is_prime = vec![true; PRIMES_END];
    for number in (2..).take_while(|number| number * number < PRIMES_END) {
        if is_prime[number] {
            (number * number..PRIMES_END).step_by(number).for_each(|multiple| is_prime[multiple] = false);
        }
    }
    (2..PRIMES_END).filter(|number| is_prime[*number]).map(|number| number as u64).collect()
});

/// The machine's prime; 1, which counts nothing, for one that no run with such a clock has.
fn prime(vm: VmId) -> u64 {
    PRIMES.get(vm.index()).copied().unwrap_or(1)
}

impl Prime {
    fn count(&mut self) {
        natural::multiply_add(&mut self.number, self.own, 0);
    }

    /// lcm(own, stamp): each prime that is in the stamp more often than in the own number is multiplied by. As both are
    /// products of the machines' primes, no greatest common divisor has to be looked for.
    fn take_multiple(&mut self, stamp: &[u64]) {
        let mut stamp = stamp.to_vec();
        natural::trim(&mut stamp);
        if stamp == [0] {
            return;
        }
        let mut own = self.number.clone();
        for prime in PRIMES.iter().take(self.vms) {
            if stamp == [1] {
                break;
            }
            while natural::divide_if_even(&mut stamp, *prime) {
                if !natural::divide_if_even(&mut own, *prime) {
                    natural::multiply_add(&mut self.number, *prime, 0);
                }
            }
        }
    }
}

/// About how many digits the product of all events of a run has, of which every machine makes as many.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn digits(vms: u32, events: u64) -> f64 {
    let primes = PRIMES.iter().take(vms as usize);
    primes.map(|prime| (*prime as f64).log10()).sum::<f64>() * events as f64 / f64::from(vms.max(1))
}

impl Clock for Prime {
    const DESCRIPTION: Description = Description {
        name: "prime",
        title: "prime clock",
        rule: "a product with the machine's prime for each event, and the least common multiple",
        source: "Kshemkalyani et al. 2018",
        promise: Promise::Strong,
        length: Length::Any,
        form: Form::Large,
        ..Description::PLAIN
    };

    fn start(setup: &Setup<'_>, last: Option<&[u64]>) -> Self {
        let mut number = last.map(<[u64]>::to_vec).unwrap_or_default();
        natural::trim(&mut number);
        if number == [0] {
            number = vec![1];
        }
        // Without a manifest nobody knows how many there are.
        let vms = if setup.vms == 0 { PRIMES.len() } else { setup.vms as usize };
        Self { number, own: prime(setup.own), vms }
    }

    fn advance(&mut self, _occurrence: Occurrence, _now: Moment) {
        self.count();
    }

    fn receive(&mut self, _sender: VmId, stamp: &[u64], _now: Moment) {
        self.take_multiple(stamp);
        self.count();
    }

    fn value(&self) -> &[u64] {
        &self.number
    }

    /// Smaller where it divides the other (theorem 1).
    fn compare(first: &[u64], second: &[u64]) -> Option<Ordering> {
        let [first, second] = [first, second].map(|value| {
            let mut value = value.to_vec();
            natural::trim(&mut value);
            value
        });
        if first == second {
            return Some(Ordering::Equal);
        }
        let divides = |a: &[u64], b: &[u64]| a != [0] && b != [0] && natural::divides(a, b);
        match (divides(&first, &second), divides(&second, &first)) {
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            _ => None,
        }
    }

    fn most_words(vms: u32, events: u64) -> usize {
        let bits = digits(vms, events) * std::f64::consts::LOG2_10;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 1, and held at the end of the numbers"
        )]
        let words = (bits / 64.0).ceil().max(1.0) as usize;
        words
    }

    /// It grows with every event and for ever, by a few bits each. Beyond what a spreadsheet's cell holds nobody looks at
    /// one, and every event takes the longer the more there were.
    fn refuses(vms: u32, events: u64) -> Option<String> {
        if vms as usize > PRIMES.len() {
            return Some(format!("must be at most {} with a prime each", PRIMES.len()));
        }
        let digits = digits(vms, events);
        (digits > MOST_DIGITS).then(|| {
            format!(
                "{events} events make a number of about {digits:.0} digits, which each row and message has, and a cell of a \
                 spreadsheet holds {MOST_DIGITS:.0}"
            )
        })
    }

    /// The sender's prime is in it once for each of its events.
    fn allows(stamp: &[u64], claim: &Claim) -> bool {
        let (mut stamp, prime, mut count) = (stamp.to_vec(), prime(claim.sender), 0);
        natural::trim(&mut stamp);
        if stamp == [0] || prime == 1 {
            return false;
        }
        while count <= claim.event && natural::divide_if_even(&mut stamp, prime) {
            count += 1;
        }
        count == claim.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Nanos;

    const NOW: Moment = Moment { event: 1, elapsed: Nanos::ZERO };

    fn start(own: u32) -> Prime {
        Prime::start(&Setup { own: VmId(own), vms: 3, skew: 0, parameters: &[] }, None)
    }

    /// (2, 0, 0) is 4; (0, 1, 0) hears of it and is (2, 2, 0), 36.
    #[test]
    fn a_number_is_its_vector() {
        let (mut a, mut b, mut c) = (start(0), start(1), start(2));
        a.advance(Occurrence::Internal, NOW);
        a.advance(Occurrence::Send, NOW);
        b.advance(Occurrence::Internal, NOW);
        assert_eq!((a.value(), b.value()), (&[4][..], &[3][..]));
        assert_eq!(Prime::compare(a.value(), b.value()), None);
        b.receive(VmId(0), a.value(), NOW);
        assert_eq!(b.value(), [36]);
        c.receive(VmId(1), b.value(), NOW);
        a.receive(VmId(1), b.value(), NOW);
        assert_eq!((c.value(), a.value()), (&[180][..], &[72][..]));
        assert_eq!(Prime::compare(b.value(), c.value()), Some(Ordering::Less));
        assert_eq!(Prime::compare(a.value(), c.value()), None);
        assert_eq!(prime(VmId(99)), 541, "the hundredth prime");
    }

    #[test]
    fn a_stamp_has_the_senders_events_and_no_more() {
        let claim = Claim { sender: VmId(1), event: 2, total: 9 };
        assert!(Prime::allows(&[36], &claim));
        assert!([0, 12, 108].iter().all(|number| !Prime::allows(&[*number], &claim)));
    }

    #[test]
    fn what_grows_beyond_sense_is_refused() {
        assert_eq!(Prime::refuses(3, 1_000), None);
        let told = Prime::refuses(100, 21_000).unwrap();
        assert!(told.contains("about 46131 digits") && told.contains("32765"), "{told}");
        assert!(Prime::refuses(20_000, 1).is_some());
        assert_eq!(Prime::most_words(1, 640), 10, "a power of two of 640 bits");
    }
}
