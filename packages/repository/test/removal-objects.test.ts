import { describe, expect, it } from 'vitest'
import { sourceOf } from '@waltz/bytes'
import { Fault, type FaultKind } from '@waltz/errors'
import { createMemoryStore } from '@waltz/storage/memory'
import { retentionFault, type ObjectStore } from '@waltz/storage'
import {
  decodeRemovalIntent,
  encodeRemovalIntent,
  isRemovalIntentKey,
  removalIntentKey,
  removalLeaseKey,
  removeObjects,
} from '../src/removal.ts'

async function filled(count: number): Promise<ObjectStore> {
  const store = createMemoryStore({ now: () => new Date('2026-01-01') })
  for (let number = 0; number < count; number += 1) await store.put(`o/${number}`, sourceOf('xy'))
  return store
}
async function left(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  return keys
}
/** Refuses these keys, and every batch that holds one of them, as bulk deletions do. */
function refusing(store: ObjectStore, refused: RegExp, fault: (key: string) => Fault): ObjectStore & { calls: number } {
  const wrapped = {
    ...store,
    calls: 0,
    async delete(keys: Iterable<string>) {
      wrapped.calls += 1
      const all = [...keys]
      const bad = all.find((key) => refused.test(key))
      await store.delete(all.filter((key) => !refused.test(key)))
      if (bad !== undefined) throw fault(bad)
    },
  }
  return wrapped
}
const denied =
  (kind: FaultKind = 'denied') =>
  (key: string) =>
    new Fault(kind, 'STORAGE_ACCESS_DENIED', `deleting ${key} was refused`)
const wanted = (count: number): { key: string; size: number }[] =>
  Array.from({ length: count }, (_, number) => ({ key: `o/${number}`, size: 2 }))

describe('removing objects', () => {
  it('takes them in batches', async () => {
    const store = refusing(await filled(25), /never/, denied())
    expect(await removeObjects(store, wanted(25), { batch: 10 })).toEqual({ removed: 25, bytes: 50, failed: 0, notTried: 0 })
    expect(store.calls).toBe(3)
    expect(await left(store)).toEqual([])
  })

  it('names every object that stays, with its own reason, and takes the others', async () => {
    const until = new Date('2027-05-01T00:00:00Z')
    const store = refusing(await filled(12), /[37]$/, (key) => retentionFault({ doing: `deleting ${key}`, location: 'x' }, { until }))
    const failures: string[] = []
    const outcome = await removeObjects(store, wanted(12), {
      batch: 10,
      onFailure: ({ key, fault }) => failures.push(`${key} ${fault.code} ${fault.message}`),
    })
    expect(outcome).toEqual({ removed: 10, bytes: 20, failed: 2, notTried: 0 })
    expect(failures).toEqual(
      ['o/3', 'o/7'].map(
        (key) => `${key} STORAGE_RETENTION_LOCKED deleting ${key} in x was refused: the object is locked until 2027-05-01T00:00:00.000Z`,
      ),
    )
    expect(await left(store)).toEqual(['o/3', 'o/7'])
  })

  it('stops trying where the right is missing, and says how many it left', async () => {
    const store = refusing(await filled(50), /./, denied())
    const failures: string[] = []
    const outcome = await removeObjects(store, wanted(50), { batch: 5, giveUpAfter: 10, onFailure: ({ key }) => failures.push(key) })
    expect(outcome).toEqual({ removed: 0, bytes: 0, failed: 10, notTried: 40 })
    expect(failures).toHaveLength(10)
    expect(await left(store)).toHaveLength(50)
  })
})

describe('the note of a deletion', () => {
  const intent = {
    plan: '20260301T021044123Z-0123456789abcdef',
    command: 'delete retain 3',
    startedAt: '2026-03-01T02:10:44.123Z',
    seenUntil: '2026-03-01T02:10:40.000Z',
    backups: ['base_000000010000000000000014'],
    catchups: [],
    walBefore: '000000010000000000000016',
  }
  it('comes back as it was written', () => {
    expect(decodeRemovalIntent(encodeRemovalIntent(intent), { origin: 'x' })).toEqual(intent)
    const { walBefore: _, ...without } = intent
    expect(decodeRemovalIntent(encodeRemovalIntent({ ...without, walBefore: undefined }), { origin: 'x' })).toEqual({
      ...without,
      walBefore: undefined,
    })
  })

  it.each([
    { ...intent, backups: ['../x'] },
    { ...intent, backups: 'all' as unknown as string[] },
    { ...intent, walBefore: '00' },
    { ...intent, seenUntil: 'some day' },
  ])('is refused when it cannot be one', (broken) => {
    expect(() => decodeRemovalIntent(encodeRemovalIntent(broken), { origin: 'x' })).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })

  it('has a key of its own, and the lease is none', () => {
    expect(isRemovalIntentKey(removalIntentKey('a1'))).toBe(true)
    expect(isRemovalIntentKey(removalLeaseKey)).toBe(false)
    expect(isRemovalIntentKey('waltz/cluster.json')).toBe(false)
  })
})
