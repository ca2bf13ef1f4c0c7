//! MD5-crypt of FreeBSD (`$1$`) and of Apache (`$apr1$`): identical except for the magic string.
//!
//! Poul-Henning Kamp, `crypt-md5.c`; `apr_md5_encode` in APR.

use md5::{Digest as _, Md5};

use super::des_crypt::DIGITS;

/// The digest in crypt(3)'s base 64: 22 characters.
pub(super) fn digest(magic: &[u8], salt: &[u8], password: &[u8]) -> String {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for piece in password.chunks(inner.len()) {
        outer.update(inner.get(..piece.len()).unwrap_or_default());
    }
    let first = password.get(..1).unwrap_or_default();
    let mut length = password.len();
    while length != 0 {
        outer.update(if length & 1 == 1 { b"\0" } else { first });
        length >>= 1;
    }
    let mut hash: [u8; 16] = outer.finalize().into();
    for round in 0..1_000 {
        let mut next = Md5::new();
        let odd = round % 2 == 1;
        next.update(if odd { password } else { hash.as_slice() });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { hash.as_slice() } else { password });
        hash = next.finalize().into();
    }
    let byte = |at: usize| u32::from(hash.get(at).copied().unwrap_or_default());
    let mut text = String::with_capacity(22);
    for [high, middle, low] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        push(&mut text, byte(high) << 16 | byte(middle) << 8 | byte(low), 4);
    }
    push(&mut text, byte(11), 2);
    text
}

/// Six bits a digit, the lowest first.
fn push(text: &mut String, mut value: u32, digits: usize) {
    for _ in 0..digits {
        text.push(char::from(DIGITS.get((value & 63) as usize).copied().unwrap_or(b'.')));
        value >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl passwd -apr1 -salt SALT PASSWORD` and `openssl passwd -1 …`.
    #[test]
    fn as_openssl_has_it() {
        let check = |magic: &str, salt: &str, password: &str, expected: &str| {
            assert_eq!(
                digest(magic.as_bytes(), salt.as_bytes(), password.as_bytes()),
                expected,
                "{password}"
            );
        };
        let long = "a password that is longer than sixteen bytes, and than thirty-two";
        check("$1$", "abc", "hello", "jWy0FsfCoVBK.I85XpXf30");
        check("$apr1$", "abcdefgh", "hello", "cy3DSYyOwfhsyu7QOMQzd.");
        check("$apr1$", "abcdefgh", "", "L.PT565ESX4Tp2bqNs7Ie.");
        check("$apr1$", "abcdefgh", long, "uEqjp70Up3NIsAXlED4Cd0");
        check("$apr1$", "abcdefgh", "rené", "bjyxX5R.BAvjKa6U5Qe7E0");
        check("$1$", "abcdefgh", "a", "jUYc1Xi7pkozuzWQ0Dft71");
        check("$1$", "abcdefgh", "", "M55TzYaaccxVGbptZWaxX/");
        check("$1$", "abcdefgh", long, "IWFscw39Bl22nWjrv8.zh0");
    }
}
