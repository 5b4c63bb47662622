import { Fault } from '@waltz/errors'
import type { EncryptionCheck, EncryptionRow } from '@waltz/backup-kit'
import type { Invocation } from '../../command.ts'
import { renderPlainTable } from '../../render-table.ts'
import { onEachTarget } from '../st/targets.ts'

/**
 * Tries the configured keys on the newest and the oldest of what is stored, and prints what was found. Resolves to 0.
 * @throws Fault `unavailable` `CRYPT_CHECK_FAILED` when something does not open, after everything was printed.
 */
export async function runCryptCheck(invocation: Invocation): Promise<number> {
  const { io, log, json } = invocation
  const kit = await invocation.openKit()
  return await onEachTarget(invocation, async ({ name, store }) => {
    const check = await kit.checkEncryption({ storage: name, signal: io.signal })
    if (json) io.stdout(`${JSON.stringify({ storage: name, opens_all: check.opensAll, keys: check.keys, rows: check.rows })}\n`)
    else if (check.rows.length > 0) io.stdout(renderPlainTable(['objects', 'scheme', 'key', 'read', 'object'], check.rows.map(cellsOf)))
    log.info(`storage ${name}: ${summary(check)}`)
    if (check.opensAll) return
    const bad = check.rows.filter(({ finding }) => finding !== 'opens')
    throw new Fault('unavailable', 'CRYPT_CHECK_FAILED', `not everything in ${store.location} can be read with the configured keys`, {
      hint: hintFor(check),
      context: { storage: name, objects: bad.map(({ object }) => object).join(', ') },
      retryable: false,
    })
  })
}

function cellsOf({ object, objects, finding, scheme, key, whole, why }: EncryptionRow): readonly string[] {
  const keyText = { opens: key ?? '', plain: 'not encrypted', 'no-key': 'no key fits', failed: 'FAILED' }[finding]
  const read = whole ? 'whole' : finding === 'failed' ? 'no' : 'beginning'
  return [String(objects), scheme ?? '-', keyText, read, why === undefined ? object : `${object}: ${why}`]
}

function summary({ rows, keys, opensAll }: EncryptionCheck): string {
  if (rows.length === 0) return 'there is no backup and no WAL yet'
  const encrypted = rows.some(({ finding }) => finding === 'opens' || finding === 'no-key')
  if (keys.length === 0) return encrypted ? 'it is encrypted, and no key is configured' : 'it is not encrypted'
  if (!opensAll) return 'the configured keys do not open everything'
  if (rows.some(({ key }) => key?.startsWith('previous') === true))
    return 'the configured keys open everything; previous keys are still needed (waltz crypt rotate changes that)'
  return rows.some(({ finding }) => finding === 'plain')
    ? 'some of it is not encrypted, and may be read because WALTZ_CRYPTO_PLAINTEXT_READS is allow'
    : 'the current key opens everything'
}

function hintFor({ rows, keys }: EncryptionCheck): string {
  if (keys.length === 0) return 'configure the key that it was written with: see the settings of waltz crypt check --help'
  if (rows.some(({ finding }) => finding === 'no-key'))
    return 'add the key that no key fits for to WALTZ_CRYPTO_PREVIOUS_KEYS, or find out who wrote with it'
  if (rows.some(({ finding }) => finding === 'failed')) return 'the table says why; a damaged backup is not to be relied on'
  return 'some objects are not encrypted: waltz crypt rotate --encrypt-plaintext changes that, WALTZ_CRYPTO_PLAINTEXT_READS=allow reads them'
}
