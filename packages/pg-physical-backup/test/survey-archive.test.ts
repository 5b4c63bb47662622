import { createCodecRegistry } from '@waltz/codecs'
import { createSealedFormat } from '@waltz/repository'
import { createMemoryStore } from '@waltz/storage/memory'
import { expect, it } from 'vitest'
import { surveyArchive } from '../src/restore/survey-archive.ts'

const registry = createCodecRegistry()

async function lastStored(...moments: readonly string[]): Promise<string | undefined> {
  let now = new Date(0)
  const store = createMemoryStore({ now: () => now })
  for (const [index, moment] of moments.entries()) {
    now = new Date(moment)
    await store.put(`wal_005/00000001000000000000000${index}.lz4`, one())
  }
  const codec = await registry.byName('lz4')
  const survey = await surveyArchive({ store, sealed: createSealedFormat({ codec, registry }) })
  const ms = survey.timelines[0]?.lastStoredAtMs
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

async function* one(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(1)
}

it('takes a time with a fraction as it is', async () => {
  expect(await lastStored('2026-05-01T10:00:00.250Z', '2026-05-01T10:00:07.125Z')).toBe('2026-05-01T10:00:07.125Z')
})

it('takes the end of a second for a time in whole seconds, which storages cut off', async () => {
  expect(await lastStored('2026-05-01T10:00:00Z', '2026-05-01T10:00:07Z')).toBe('2026-05-01T10:00:07.999Z')
})
