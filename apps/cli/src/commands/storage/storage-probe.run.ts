import { Fault } from '@waltz/errors'
import { parseSize } from '@waltz/settings'
import { probeStore, type ProbeOutcome, type ProbeReport, type ProbeResult } from '@waltz/storage/tools'
import type { Invocation } from '../../command.ts'
import { renderPlainTable } from '../../render-table.ts'
import { usageFault } from '../../usage-fault.ts'
import { onEachTarget, textFlag, uniqueHex } from '../st/targets.ts'

const MARKS: Readonly<Record<ProbeOutcome, string>> = { ok: 'ok', limited: 'limited', failed: 'FAILED', skipped: 'skipped' }

/**
 * Probes the storage and prints what was found. Resolves to 0, also when something is limited.
 * @throws Fault `unavailable` `STORAGE_PROBE_FAILED` when a check failed, after everything was printed.
 */
export async function runStorageProbe(invocation: Invocation): Promise<number> {
  const { io, log, json, progress } = invocation
  const largeBytes = sizeFlag(invocation)
  const concurrencies = listFlag(invocation)
  return await onEachTarget(invocation, async ({ store, maintenance, name }) => {
    log.info(`probing storage ${name}: ${store.location}`)
    const report = await probeStore(store, {
      maintenance,
      now: io.now,
      clock: io.host?.clock ?? (() => io.now().getTime()),
      randomHex: (digits) => uniqueHex(io, digits),
      signal: io.signal,
      ...(largeBytes === undefined ? {} : { largeBytes }),
      ...(concurrencies === undefined ? {} : { concurrencies }),
      onResult: (result) => log.debug(`${result.id}: ${result.outcome}, ${result.detail}`),
    })
    progress.finish()
    io.stdout(json ? `${JSON.stringify({ storage: name, ...report })}\n` : renderReport(report))
    for (const leftover of report.leftovers) log.warn(`could not be removed again: ${leftover}`)
    const failed = report.results.filter((result) => result.outcome === 'failed')
    if (failed.length === 0) return
    throw new Fault(
      'unavailable',
      'STORAGE_PROBE_FAILED',
      `backups are not safe in ${store.location}: ${failed.map(({ title }) => title).join('; ')}`,
      {
        hint: 'the table above says what was wrong with each',
        context: { storage: name, failed: failed.length },
        retryable: false,
      },
    )
  })
}

function renderReport({ results, recommends }: ProbeReport): string {
  const rows = results.map((result) => [MARKS[result.outcome], result.title, milliseconds(result), result.detail])
  const table = renderPlainTable(['result', 'check', 'ms', 'found'], rows)
  if (recommends.length === 0) return table
  const advice = renderPlainTable(
    ['setting', 'value', 'because'],
    recommends.map(({ setting, value, why }) => [setting, value, why]),
  )
  return `${table}\nSettings that fit this storage:\n\n${advice}`
}

function milliseconds({ ms }: ProbeResult): string {
  return String(ms)
}

function sizeFlag(invocation: Invocation): number | undefined {
  const text = textFlag(invocation, 'size')
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes === undefined || bytes < 1) throw usageFault(`--size takes a size such as 64mb, not ${text}`, { command: 'storage probe' })
  return bytes
}

function listFlag(invocation: Invocation): readonly number[] | undefined {
  const text = textFlag(invocation, 'concurrency')
  if (text === undefined) return undefined
  const numbers = text.split(',').map(Number)
  if (numbers.some((number) => !Number.isInteger(number) || number < 1 || number > 64))
    throw usageFault(`--concurrency takes numbers from 1 to 64 such as 1,4,16, not ${text}`, { command: 'storage probe' })
  return numbers
}
