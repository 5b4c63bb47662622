import { Fault } from '@waltz/errors'
import type { BackupCatalog, BackupSummary } from '@waltz/repository'
import { describe, expect, it } from 'vitest'
import { listCandidates } from '../src/restore/list-candidates.ts'

const summary = (name: string): BackupSummary => ({ name, modifiedAt: new Date(0), walFileName: name.slice(5) })
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

/** A catalogue whose listing takes time, so that a reading ends before the next name comes. */
function slowCatalog(names: readonly string[], fault: Fault): BackupCatalog {
  return {
    async *list() {
      for (const name of names) {
        yield summary(name)
        await pause()
      }
    },
    find: () => Promise.reject(fault),
    readSentinel: () => Promise.reject(fault),
    readMetadata: () => Promise.reject(fault),
  }
}

describe('listCandidates', () => {
  it('fails when the storage did not answer for a sentinel, even between two steps of the listing', async () => {
    const fault = new Fault('unavailable', 'STORAGE_IO', 'no answer')
    const names = ['base_000000010000000000000002', 'base_000000010000000000000004']
    await expect(listCandidates(slowCatalog(names, fault), {})).rejects.toBe(fault)
  })

  it('warns of a damaged sentinel and goes on', async () => {
    const fault = new Fault('corrupt', 'JSON_INVALID', 'not JSON')
    const { candidates, warnings } = await listCandidates(slowCatalog(['base_000000010000000000000002'], fault), {})
    expect(candidates).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('base_000000010000000000000002')])
  })
})
