//! Verifies a password against a hash of any scheme that Apache knows, and hashes new ones by bcrypt.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use doorward_core::policy::{HashKind, PasswordHash};
use sha_crypt::{PasswordVerifier as _, ShaCrypt};
use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq as _;

use super::rules::{LONGEST_NEW, Rules, WeakPassword};
use super::{des_crypt, md5_crypt};

/// bcrypt's cost for new passwords: about a quarter of a second on the machines of 2026, as OWASP's Password Storage
/// Cheat Sheet bounds it, and within what `htpasswd` accepts.
pub const COST: u32 = 12;

/// Longer ones are nobody's, and hashing them costs time. crypt(3) takes no more either (CRYPT_MAX_PASSPHRASE_SIZE).
pub const LONGEST: usize = 512;

/// A password that cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is against the rules.
    #[error(transparent)]
    Weak(#[from] WeakPassword),
    /// No salt could be drawn.
    #[error("the operating system provides no random bytes")]
    NoRandom(#[source] bcrypt::BcryptError),
}

/// Hashes a new password as `htpasswd -B` does: `$2y$`.
pub fn hash_new(password: &str, rules: &Rules<'_>) -> Result<String, PasswordError> {
    rules.check(password)?;
    let hash = bcrypt::hash_with_result(password, COST).map_err(PasswordError::NoRandom)?;
    Ok(hash.format_for_version(bcrypt::Version::TwoY))
}

/// Whether the hash is of that password; the comparison takes the same time wherever the two differ.
pub fn verify(hash: &PasswordHash, password: &str) -> bool {
    // C programs see nothing behind a NUL, so no password has one.
    if password.len() > LONGEST || password.contains('\0') {
        return false;
    }
    let (salt, password) = (hash.salt(), password.as_bytes());
    let digest = match hash.kind() {
        HashKind::Bcrypt => bcrypt_digest(hash.cost(), salt, password),
        HashKind::Apr1 => Some(md5_crypt::digest(b"$apr1$", salt.as_bytes(), password)),
        HashKind::Md5Crypt => Some(md5_crypt::digest(b"$1$", salt.as_bytes(), password)),
        HashKind::Sha1 => Some(base64::engine::general_purpose::STANDARD.encode(Sha1::digest(password))),
        HashKind::DesCrypt => des_crypt::digest(salt, password),
        HashKind::Sha256Crypt | HashKind::Sha512Crypt => {
            let (prefix, rounds, digest) = (hash.kind().prefix(), hash.cost(), hash.digest());
            let whole = format!("{prefix}rounds={rounds}${salt}${digest}");
            return ShaCrypt::default().verify_password(password, whole.as_str()).is_ok();
        }
    };
    digest.is_some_and(|digest| digest.as_bytes().ct_eq(hash.digest().as_bytes()).into())
}

/// The 31 characters behind the salt.
fn bcrypt_digest(cost: u32, salt: &str, password: &[u8]) -> Option<String> {
    // 22 digits are 132 bits, of which 128 count: some programs leave rubbish in the last four.
    const SALT: GeneralPurpose = GeneralPurpose::new(
        &BCRYPT,
        GeneralPurposeConfig::new()
            .with_encode_padding(false)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );
    let salt: [u8; 16] = SALT.decode(salt).ok()?.try_into().ok()?;
    if cost > 31 {
        return None;
    }
    let mut key: Vec<u8> = password.iter().copied().chain([0]).collect();
    key.truncate(LONGEST_NEW);
    let digest = bcrypt::bcrypt(cost, salt, &key);
    digest.get(..23).map(|digest| SALT.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hash: &str, password: &str) {
        let parsed: PasswordHash = hash.parse().expect("a hash");
        assert!(verify(&parsed, password), "{hash}");
        assert!(!verify(&parsed, &format!("x{password}")), "{hash}");
        assert!(!verify(&parsed, ""), "{hash}");
        assert!(!verify(&parsed, &format!("{password}\0")), "{hash}");
    }

    /// Made by Perl's `crypt`, which is the C library's, and by `openssl passwd -apr1`.
    #[test]
    fn as_the_c_library_has_it() {
        let long = "a password that is longer than sixteen bytes, and than thirty-two";
        check("$2y$04$abcdefghijklmnopqrstuuwHJMEGjfAzmL1lWmUmlphguIbWfjYey", "hello");
        check("$2a$05$abcdefghijklmnopqrstuuWHxnxkyNt6AHCwFMQaY6auyqJA8E98a", "hello");
        check("$2b$04$......................dsSrENlUgE.ZHF4SSRSDv//wDePShcS", "hello");
        check("$5$abc$W6SISEcmf6GfVdGFK0lGBXz2NPDhGZ.FBBMOz418YA7", "hello");
        check("$5$rounds=1000$abcdefghijklmnop$WrXWnj4kGA329xgo6OuYgg4dCUBFRerEyEW8GtoN6I5", "hello");
        check(
            "$6$abc$34O8oRzThM7onc3iRQAcdWBv2H/sMGJlnsnG6uIkasTEvQkG9apXR/oBhPpqIepkul8wg.bf4wxoel67eJND./",
            "hello",
        );
        check(
            "$6$rounds=1500$a/.Z$TfrEA3HLE/GMx.yo87cb8oUaHWPtFPEU0A8vGuD5.K2vlYGvxN73KqDaq.NQIkmd0xnHaT8ocmiJTP7nu4IT/1",
            "hello",
        );
        check("$1$abcdefgh$rwnEbRiN0agqVgZBovWNQ/", "hello");
        check("$2y$04$abcdefghijklmnopqrstuuUSNjL0Jg5UpB08qIaAN9/Fd98FBfyCm", "rené");
        check("$2a$05$abcdefghijklmnopqrstuuArD4RRt.kmCGZeMmZo1/RNFIxTar1i6", "rené");
        check("$2b$04$......................ni4..qcTBUxYmi2DiAw.mXOeCxNPB2a", "rené");
        check("$5$abc$wKZPGnyEb.obw/Zq4FoVZSleHZPdh61uGri1rfuTnb7", "rené");
        check("$5$rounds=1000$abcdefghijklmnop$3HQcldJ9MAWcnokgWjYOrx5YKk2kUpOZq46LrdT8lU8", "rené");
        check(
            "$6$abc$E6hOsDVSmZkRKjVVHOxMzG1F3Qlye20u/Ou/wGKn/J0EUQyARNIQ1tfrSh2wshrBxXP.IqJ3yo63RTsIDVR170",
            "rené",
        );
        check(
            "$6$rounds=1500$a/.Z$96TD6ueaTrdlgEnpB5IEggdIzsbBsajDiFKbHXbJYtcEVwfProhH7F0jLDNd4w6YXOLBEU9mPEv9ePjidNF5K.",
            "rené",
        );
        check("$1$abcdefgh$iAbaRKn7L3yl.3kB8r.LV.", "rené");
        check("$2y$04$abcdefghijklmnopqrstuuyjE1mD5EgX7YWhdd1v6oGc00K2Q0Id2", long);
        check("$2a$05$abcdefghijklmnopqrstuuOXwa9VK.IrPreu0/dN1YdINDF2NEQkq", long);
        check("$2b$04$......................tSQ2CJpBXs/DJK3NZNN/xJXUGyw7Xmq", long);
        check("$5$abc$qqlOIVN9HpbB6Yy8LVGoqugYqhlxsicxTalgMQFDSW/", long);
        check("$5$rounds=1000$abcdefghijklmnop$TwbqDnQGcAV7WnmZHfse7f24f5cO6WaZVqo6dAIls01", long);
        check(
            "$6$abc$K9Z2LFbRyd4KCE4GUytktCAD8Qr/OKPEO2CyYrcLeLLoQ2wmmZkUxLOTJ3UaQxDwuWT/e2hcwX9H.EaK5Jyxo0",
            long,
        );
        check(
            "$6$rounds=1500$a/.Z$FEcx.HFjAmxJWkUkiBtjNAkn/8hxGMVj7WsGvzEykw9tetfR2wERsOP5/SWxuj7ZEKr4WIpT4lzM2LAFTcQrQ.",
            long,
        );
        check("$1$abcdefgh$IWFscw39Bl22nWjrv8.zh0", long);
        check("$apr1$abcdefgh$cy3DSYyOwfhsyu7QOMQzd.", "hello");
        check("$apr1$abcdefgh$uEqjp70Up3NIsAXlED4Cd0", long);
        check("{SHA}qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello");
        check("abl0JrMf6tlhw", "hello");
    }

    #[test]
    fn the_longest_that_bcrypt_looks_at() {
        let hash: PasswordHash =
            "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i".parse().expect("a hash");
        assert!(verify(&hash, &"x".repeat(72)));
        assert!(!verify(&hash, &"x".repeat(71)));
    }

    #[test]
    fn a_new_password_is_theirs() {
        let jon: doorward_core::policy::Person = "jon".parse().expect("a name");
        let rules = Rules { person: &jon, least: 10 };
        let new = |password: &str| hash_new(password, &rules);
        let hash = new("correct horse").expect("a hash");
        assert!(hash.starts_with("$2y$12$"), "{hash}");
        let parsed: PasswordHash = hash.parse().expect("a hash");
        assert!(verify(&parsed, "correct horse") && !verify(&parsed, "correct house"));
        assert_ne!(hash, new("correct horse").expect("a hash"), "salted");
        assert_eq!(
            new("short").expect_err("refused").to_string(),
            "the password has 5 characters, at least 10 are required"
        );
    }

    #[test]
    fn every_decoy_can_be_tried() {
        let kinds = [
            (HashKind::Bcrypt, 4),
            (HashKind::Apr1, 0),
            (HashKind::Md5Crypt, 0),
            (HashKind::Sha1, 0),
            (HashKind::Sha256Crypt, 1_000),
            (HashKind::Sha512Crypt, 1_000),
            (HashKind::DesCrypt, 0),
        ];
        for (kind, cost) in kinds {
            assert!(!verify(&PasswordHash::decoy(kind, cost), "x"), "{kind}");
        }
    }
}
