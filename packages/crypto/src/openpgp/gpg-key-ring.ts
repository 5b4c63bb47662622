import { Fault } from '@waltz/errors'

/** What became of a run of the `gpg` program. */
export interface GpgResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `gpg` with these arguments and, if there is any, this text on its standard input. Rejects when it cannot be started. */
export type GpgRun = (args: readonly string[], input?: string) => Promise<GpgResult>

/** Key ids and fingerprints in hexadecimal, or a part of a user id such as a mail address. */
const KEY_ID = /^(?:(?:0x)?(?:[0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})!?|[^\p{C}-][^\p{C}]{0,254})$/iu

/**
 * The armoured block of a key in the key ring of `gpg`: what WAL-G's setting of a key id is meant to give (RF 7.2), but never falling
 * back to anything, and without a copy of the key in the home directory. With `secret` the private key, and then `passphrase` is what
 * `gpg` protects it with: the exported one stays locked with it. Without a passphrase the agent of `gpg` may ask for it on a
 * terminal.
 * @throws Fault `invalid` `CRYPTO_KEY_INVALID` for an id that is none, `CRYPTO_GPG_KEY_MISSING` when the key ring does not give the key,
 *   `unsupported` `CRYPTO_GPG_FAILED` when the program cannot be run.
 */
export async function exportGpgKey(options: {
  readonly keyId: string
  readonly secret: boolean
  readonly run: GpgRun
  readonly passphrase?: string
}): Promise<string> {
  const { keyId, secret, run, passphrase } = options
  if (!KEY_ID.test(keyId)) {
    throw new Fault('invalid', 'CRYPTO_KEY_INVALID', 'the id of the gpg key is neither a key id nor a user id', {
      hint: 'set the fingerprint of the key, as `gpg --list-keys` shows it',
    })
  }
  const unlock = secret && passphrase !== undefined
  const args = [
    '--batch',
    '--no-tty',
    '--armor',
    ...(unlock ? ['--pinentry-mode', 'loopback', '--passphrase-fd', '0'] : []),
    secret ? '--export-secret-keys' : '--export',
    '--',
    keyId,
  ]
  const { exitCode, stdout, stderr } = await run(args, unlock ? `${passphrase}\n` : undefined).catch((error: unknown) => {
    throw new Fault('unsupported', 'CRYPTO_GPG_FAILED', 'the program gpg, which keeps the configured key, cannot be run', {
      hint: 'install GnuPG, or configure the key itself instead of its id',
      cause: error,
    })
  })
  if (exitCode === 0 && stdout.includes('-----BEGIN PGP ')) return stdout
  throw new Fault('invalid', 'CRYPTO_GPG_KEY_MISSING', `gpg gives no ${secret ? 'private' : 'public'} key for ${keyId}`, {
    hint: 'look for it with `gpg --list-secret-keys`, as the user that runs this program; the passphrase must be right, too',
    context: { keyId, exitCode, gpg: lastLine(stderr) },
  })
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 200) ?? ''
