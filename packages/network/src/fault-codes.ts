import type { FaultCodeTable } from '@waltz/errors'

/** Codes thrown by this package. */
export const faultCodes: FaultCodeTable = {
  NETWORK_PROXY_INVALID:
    'The proxy setting is not a URL that begins with http:// or https://. Correct it, or leave it out to connect directly.',
  NETWORK_CA_INVALID: 'The file of trusted authorities holds no certificate in PEM form. Name a file with at least one.',
}
