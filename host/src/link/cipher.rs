//! Which implementation of AES-GCM the connections use.
//!
//! The cipher on the wire is the same, whatever encrypts it. aws-lc has one for AVX-512, and otherwise the one for the instructions that processors have had since 2010; ring has one in between, for those that encrypt two blocks at a
//! time (VAES) without AVX-512: AMD since Zen 3, Intel's clients since Alder Lake. There it takes 0.6 of the time (docs/performance.md).

use rustls::SupportedCipherSuite;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384;

/// TLS_AES_256_GCM_SHA384 (RFC 8446, appendix B.4), by the implementation that is the fastest on this processor.
#[must_use]
pub fn aes_256_gcm() -> SupportedCipherSuite {
    between().unwrap_or(TLS13_AES_256_GCM_SHA384)
}

#[cfg(target_arch = "x86_64")]
fn between() -> Option<SupportedCipherSuite> {
    use std::arch::is_x86_feature_detected as has;

    let vaes = has!("avx2") && has!("vaes") && has!("vpclmulqdq");
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    (vaes && !avx512).then_some(rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384)
}

#[cfg(not(target_arch = "x86_64"))]
fn between() -> Option<SupportedCipherSuite> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_implementation_the_cipher_is_the_same() {
        assert_eq!(aes_256_gcm().suite(), rustls::CipherSuite::TLS13_AES_256_GCM_SHA384);
        if let Some(ours) = between() {
            assert_eq!(ours.suite(), TLS13_AES_256_GCM_SHA384.suite());
        }
    }
}
