import { Fault, type FaultKind } from '@waltz/errors'

/** A call of a key service that failed. None of it may hold a secret: no token, no signature, no header, no key. */
export interface FailedServiceCall {
  /** As in "the key service <service> could not <doing>". */
  readonly service: string
  readonly doing: string
  /** What went wrong, in the words of the service or of the network, shortened by `serviceWords`. */
  readonly words: string
  readonly status?: number
  readonly requestId?: string
}

/** Credentials or permissions: `denied` `CRYPTO_SERVICE_DENIED`. */
export const serviceDeniedFault = (call: FailedServiceCall): Fault =>
  make('denied', 'CRYPTO_SERVICE_DENIED', call, {
    hint: 'check the credentials, when they expire, whether they allow use of this key, and the clock',
  })

/** The service itself failed or is busy: `unavailable` `CRYPTO_SERVICE_FAILED`. */
export const serviceFailedFault = (call: FailedServiceCall): Fault =>
  make('unavailable', 'CRYPTO_SERVICE_FAILED', call, { hint: 'try again later; the status page of the service tells more' })

/** A request that cannot work: `invalid` `CRYPTO_SERVICE_REFUSED`. */
export const serviceRefusedFault = (call: FailedServiceCall): Fault =>
  make('invalid', 'CRYPTO_SERVICE_REFUSED', call, { hint: 'check the id and state of the key, the region and the endpoint' })

/** No connection, or no answer in time: `unavailable` `CRYPTO_SERVICE_UNREACHABLE`. */
export const serviceUnreachableFault = (call: FailedServiceCall): Fault =>
  make('unavailable', 'CRYPTO_SERVICE_UNREACHABLE', call, { hint: 'check the endpoint, the network and the proxy settings' })

/** An answer that makes no sense: `unavailable` `CRYPTO_SERVICE_ANSWER`, not worth another try. */
export const serviceAnswerFault = (call: FailedServiceCall): Fault =>
  make('unavailable', 'CRYPTO_SERVICE_ANSWER', call, {
    hint: 'check the endpoint, and what stands between it and this machine',
    retryable: false,
  })

/** The service cannot open what was stored: `corrupt` `CRYPTO_WRAPPED_KEY_REFUSED`. */
export const wrappedKeyRefusedFault = (call: FailedServiceCall): Fault =>
  make('corrupt', 'CRYPTO_WRAPPED_KEY_REFUSED', call, {
    hint: 'check that this is the key and the account the object was written with; if so, the beginning of the object is damaged',
  })

/**
 * The text of a service for a message: one line, shortened; dropped altogether where it speaks of signatures or tokens, because such
 * answers repeat the request.
 */
export function serviceWords(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  if (/canonical|signature|token|bearer|secret|jwt/i.test(line)) return ''
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}

interface Advice {
  readonly hint: string
  readonly retryable?: boolean
}

function make(kind: FaultKind, code: string, call: FailedServiceCall, advice: Advice): Fault {
  return new Fault(kind, code, `the key service ${call.service} could not ${call.doing}: ${call.words}`, {
    ...advice,
    context: {
      service: call.service,
      ...(call.status === undefined ? {} : { status: call.status }),
      ...(call.requestId === undefined ? {} : { requestId: call.requestId }),
    },
  })
}
