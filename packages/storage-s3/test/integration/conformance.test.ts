import { afterAll, describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { conformanceCases, largeCases, manyCases, partCases, raceCases, type ConformanceCase } from '@waltz/storage/conformance'
import { withPrefix, withRetry, type ObjectStore } from '@waltz/storage'
import { formsToRun, sharedServer, soaking } from '@waltz/testkit'
import { storageFacts } from '../support/facts.ts'
import { networkOptions } from '../support/options.ts'
import { later, PART_BYTES, radosgwStore } from '../support/radosgw.ts'

const radosgw = await sharedServer('radosgw')
const { retry } = networkOptions()

const cases: readonly ConformanceCase[] = [
  ...conformanceCases,
  ...partCases(PART_BYTES),
  ...raceCases(storageFacts.races),
  ...(soaking ? largeCases : []),
]
/** More than a thousand keys are proven of the first form; pages of ten find two hundred of them many. */
const fewKeys = conformanceCases.filter(({ name }) => soaking || !name.includes('more than a thousand'))
const listing = fewKeys.filter(({ name }) => /list|group|delete|keys/.test(name))

const kinds: readonly (readonly [name: string, cases: readonly ConformanceCase[], make: () => Promise<ObjectStore>])[] = [
  ['bare', cases, () => radosgwStore(radosgw.server)],
  ['with pages of ten and ListObjects', listing, () => radosgwStore(radosgw.server, { pageSize: 10, useListV1: true })],
  ['with pages of ten', listing, () => radosgwStore(radosgw.server, { pageSize: 10, deleteBatch: 7 })],
  [
    'by the SDK alone, taken for an unknown provider',
    [...fewKeys, ...partCases(PART_BYTES)],
    () => radosgwStore(radosgw.server, { engine: 'aws-sdk', provider: 'unknown' }),
  ],
  ['taken for an unknown provider', conformanceCases, () => radosgwStore(radosgw.server, { provider: 'unknown' })],
  ['wrapped', conformanceCases, async () => withPrefix(withRetry(await radosgwStore(radosgw.server), retry), 'some/folder')],
]

describe.skipIf(radosgw.missing !== undefined).each(formsToRun(kinds, 4))(`S3 on ${radosgw.title}, %s`, (_name, own, make) => {
  const store = later(make)
  afterAll(async () => (await store())[Symbol.asyncDispose]())
  it.each(own.map((item) => [item.name, item] as const))('%s', { timeout: 60_000 }, async (_case, item) => {
    const bare = await store()
    expect(item.needs?.(bare) ?? true).toBe(true)
    await item.run(bare)
  })
  it('claims what the reference of storages says, after a first put on condition', async () => {
    const bare = await store()
    await bare.put('first', sourceOf('x'), { onlyIfAbsent: true })
    expect(bare.capabilities).toMatchObject({ ...storageFacts.capabilities, maxDeleteBatch: expect.any(Number) })
  })
})

const bound = { usedBytes: () => process.memoryUsage.rss(), maxBytes: 160_000_000 }
if (soaking)
  describe.skipIf(radosgw.missing !== undefined)(`S3 on ${radosgw.title}, many objects`, () => {
    const store = later(() => radosgwStore(radosgw.server))
    afterAll(async () => (await store())[Symbol.asyncDispose]())
    it.each(manyCases(100_000, bound).map((item) => [item.name, item] as const))('%s', { timeout: 900_000 }, async (_case, item) => {
      await item.run(await store())
    })
  })
