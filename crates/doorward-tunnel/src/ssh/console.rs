//! The host keys that an instance writes to its console when it is made.

use russh::keys::PublicKey;

const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";

/// The keys in an instance's console output, as cloud-init writes them; empty where it wrote none.
///
/// A console may hold several boots: the last complete block counts. A block whose end is not there yet, or was cut
/// off, does not. What stands before a key on its line (a time, a program) is the console's.
pub fn host_keys(output: &str) -> Vec<PublicKey> {
    let mut complete = Vec::new();
    let mut block: Option<Vec<PublicKey>> = None;
    for line in output.lines() {
        if line.contains(BEGIN) {
            block = Some(Vec::new());
        } else if line.contains(END) {
            complete = block.take().unwrap_or(complete);
        } else if let Some(keys) = &mut block {
            keys.extend(key(line));
        }
    }
    complete
}

fn key(line: &str) -> Option<PublicKey> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.find(|word| word.starts_with("ssh-") || word.starts_with("ecdsa-"))?;
    PublicKey::from_openssh(&format!("{kind} {}", words.next()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn check(output: &str, expected: &[&str]) {
        let keys = host_keys(output);
        let keys: Vec<String> = keys.iter().map(|key| key.to_openssh().unwrap()).collect();
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_console_tells_the_keys_of_its_machine() {
        let plain =
            format!("boot\r\n{BEGIN}\r\n{ED25519} root@ip-10-0-0-1\r\nnonsense\r\n{END}\r\nlogin:\r\n");
        check(&plain, &[ED25519]);
        let prefixed =
            format!("[   21.4] cloud-init[9]: {BEGIN}\n[   21.4] cloud-init[9]: {ED25519}\n<14>x: {END}\n");
        check(&prefixed, &[ED25519]);
    }

    #[test]
    fn the_last_complete_block_counts() {
        let twice = format!("{BEGIN}\n{ED25519}\n{END}\n{BEGIN}\n{OTHER}\n{END}\n");
        check(&twice, &[OTHER]);
        let cut = format!("{BEGIN}\n{ED25519}\n{END}\n{BEGIN}\n{OTHER}\n");
        check(&cut, &[ED25519]);
    }

    #[test]
    fn a_console_without_a_block_tells_nothing() {
        check("", &[]);
        check(&format!("{ED25519}\n{END}\n"), &[]);
        check(&format!("{BEGIN}\n{ED25519}"), &[]);
    }
}
