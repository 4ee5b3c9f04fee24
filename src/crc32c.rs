//! The checksum of checked frames and their handshake: CRC32C, RFC 3720, appendix B.4.

use crc_fast::{CrcAlgorithm, Digest};

/// That of the pieces, one behind the other.
pub(crate) fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for piece in pieces {
        digest.update(piece);
    }
    // It has 32 bits.
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_standard_however_it_is_cut() {
        // The examples of RFC 3720, and the check value of the catalogues of CRCs.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (bytes, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
        ] {
            assert_eq!(crc32c(&[bytes]), expected);
            for cut in 0..=bytes.len() {
                let (first, second) = bytes.split_at(cut);
                assert_eq!(crc32c(&[first, second]), expected, "{cut}");
            }
        }
    }

    #[test]
    fn it_is_the_same_in_pieces_of_every_size() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index.wrapping_mul(index) >> 3) as u8).collect();
        for length in [255, 256, 1023, 4096, 65_537, 100_000] {
            let whole = crc32c(&[&bytes[..length]]);
            for size in [1, 7, 64, 1000] {
                let pieces: Vec<&[u8]> = bytes[..length].chunks(size).collect();
                assert_eq!(crc32c(&pieces), whole, "{length} in {size}s");
            }
        }
    }
}
