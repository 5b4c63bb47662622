import type { RotatedEncryption } from '@waltz/backup-kit'
import { Fault } from '@waltz/errors'
import type { Invocation } from '../../command.ts'
import { formatBytes } from '../../format-amount.ts'
import { renderPlainTable } from '../../render-table.ts'
import { onEachTarget } from '../st/targets.ts'

interface Amount {
  readonly objects: number
  readonly bytes: number
}

/**
 * Counts what lies under which key; with `--confirm` brings all of it under the current one. Resolves to 0.
 * @throws Fault `unavailable` `CRYPT_ROTATION_INCOMPLETE` when objects stayed as they were, after everything was printed.
 */
export async function runCryptRotate(invocation: Invocation): Promise<number> {
  const { io, json, log, progress, flags } = invocation
  const confirm = flags['confirm'] === true
  const kit = await invocation.openKit()
  return await onEachTarget(invocation, async ({ name }) => {
    let done = 0
    const advance = (bytes: number): void => progress.update((done += bytes))
    progress.phase(confirm ? 'changing keys' : 'looking')
    const rotated = await kit.rotateEncryption({
      storage: name,
      confirm,
      encryptPlaintext: flags['encrypt-plaintext'] === true,
      signal: io.signal,
      onLooked: advance,
      observe: ({ key, outcome, bytes, failure }) => {
        if (failure === undefined) log.debug(`${key}: ${outcome}`)
        else log.error(`${failure.code}: ${failure.message}`)
        advance(bytes)
      },
    })
    progress.finish()
    const rows = rowsOf(rotated)
    io.stdout(json ? `${JSON.stringify({ storage: name, confirmed: confirm, ...jsonOf(rotated) })}\n` : tableOf(rows))
    if (!confirm) log.info('nothing was changed; --confirm does it')
    const failed = rotated.result?.amounts.failed.objects ?? 0
    if (failed > 0) throw incomplete(name, failed)
    if (confirm && rotated.keys.length > 1) log.info('previous keys are no longer needed for what was changed: waltz crypt check shows it')
  })
}

function rowsOf({ keys, survey, result }: RotatedEncryption): readonly (readonly [what: string, amount: Amount])[] {
  if (survey !== undefined) {
    const scheme = new Map(keys.map((key) => [key.label, key.scheme]))
    const byKey = [...survey.byKey].map(([label, amount]) => [`${label} key (${scheme.get(label) ?? ''})`, amount] as const)
    return [...byKey, ['not encrypted', survey.plain], ['no key fits', survey.unknown]]
  }
  const amounts = result?.amounts
  if (amounts === undefined) return []
  return [
    ['changed', amounts.rotated],
    ['under the current key already', amounts.already],
    ['not encrypted, left so', amounts.plain],
    ['of unfinished backups, left', amounts.unfinished],
    ['failed, as they were', amounts.failed],
  ]
}

function tableOf(rows: ReturnType<typeof rowsOf>): string {
  return renderPlainTable(
    ['objects', 'size', 'what'],
    rows.map(([what, { objects, bytes }]) => [String(objects), formatBytes(bytes), what]),
  )
}

function jsonOf({ keys, survey, result }: RotatedEncryption): Record<string, unknown> {
  if (survey !== undefined) {
    const { byKey, plain, unknown, unknownKeys } = survey
    return { keys, by_key: Object.fromEntries(byKey), plain, unknown, unknown_examples: unknownKeys }
  }
  const failures = result?.failures.map(({ key, fault: { code, message } }) => ({ key, code, message }))
  return { keys, ...result?.amounts, failures, noted: result?.noted }
}

function incomplete(storage: string, failed: number): Fault {
  return new Fault('unavailable', 'CRYPT_ROTATION_INCOMPLETE', `${failed} objects stayed as they were`, {
    hint: 'the log says why of each; run the command again when that is mended, and keep the previous keys until then',
    context: { storage, failed },
    retryable: false,
  })
}
