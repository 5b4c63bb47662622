import { readFile } from 'node:fs/promises'
import { Fault, throwIfAborted } from '@waltz/errors'
import type { HttpLine } from './http-call.ts'
import type { GcsCredentials } from './options.ts'
import { isServiceAccountKey, requestServiceAccountToken } from './service-account.ts'

/** A token of OAuth 2.0 and when it ends, in milliseconds since 1970. */
export interface AccessToken {
  readonly value: string
  readonly expiresAtMs: number
}

/** Gives the token for the next request. */
export interface TokenSource {
  /** Undefined where no credentials are used. */
  current(signal: AbortSignal | undefined): Promise<string | undefined>
  /** The storage did not accept this token: the next one is a new one. */
  refused(token: string): void
}

/** What tokens are asked for with. */
export interface TokenSurroundings {
  readonly line: HttpLine
  readonly now: () => Date
}

/** A token is renewed so long before its end. */
const RENEW_BEFORE_MS = 300_000

/** Nothing is read or asked before the first token is wanted; then one request serves everybody who waits for it. */
export function createTokenSource(credentials: GcsCredentials, around: TokenSurroundings): TokenSource {
  if (credentials.kind === 'none') return { current: async () => undefined, refused: () => undefined }
  let request: ((signal: AbortSignal | undefined) => Promise<AccessToken>) | undefined
  let held: AccessToken | undefined
  let asking: Promise<AccessToken> | undefined

  const ask = async (): Promise<AccessToken> => {
    request ??= await openCredentials(credentials, around)
    return await request(undefined)
  }
  return {
    async current(signal) {
      if (held !== undefined && held.expiresAtMs - around.now().getTime() > RENEW_BEFORE_MS) return held.value
      asking ??= ask().finally(() => (asking = undefined))
      held = await asking.catch((error: unknown) => {
        request = undefined // the key file may be replaced by the time of the next attempt
        throw error
      })
      throwIfAborted(signal)
      return held.value
    },
    refused(token) {
      if (held?.value === token) held = undefined
      request = undefined
    },
  }
}

async function openCredentials(
  credentials: GcsCredentials,
  around: TokenSurroundings,
): Promise<(signal: AbortSignal | undefined) => Promise<AccessToken>> {
  const key =
    credentials.kind === 'key' ? credentials.key : credentials.kind === 'key-file' ? await readKeyFile(credentials.path) : undefined
  if (isServiceAccountKey(key)) return (signal) => requestServiceAccountToken(key, around, signal)
  const { defaultTokens } = await import('./default-credentials.ts')
  return defaultTokens(key, around)
}

async function readKeyFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw missingFault(`the credentials file ${path} could not be read (${String((error as NodeJS.ErrnoException).code)})`, path)
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Readonly<Record<string, unknown>>
  } catch {
    // The parser's message would quote the file: it holds a private key.
  }
  throw missingFault(`the credentials file ${path} is not JSON`, path)
}

function missingFault(message: string, path: string): Fault {
  return new Fault('denied', 'GCS_CREDENTIALS_MISSING', message, {
    hint: 'set GOOGLE_APPLICATION_CREDENTIALS to the JSON key of a service account',
    context: { path },
  })
}
