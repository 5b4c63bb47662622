import { describe, expect, it } from 'vitest'
import { createDataKeys } from '../src/data-keys.ts'
import { noise, rejection } from './support.ts'

const blob = (index: number): Uint8Array => noise(184, index + 1)

describe('data keys', () => {
  it('are asked for once by concurrent callers, and at most 256 are remembered', async () => {
    let asked = 0
    const keys = createDataKeys({
      create: () => Promise.reject(new Error('only reads')),
      unwrap: async (wrapped) => {
        asked += 1
        await new Promise(setImmediate)
        return wrapped.slice(0, 32)
      },
    })
    const same = await Promise.all(Array.from({ length: 50 }, () => keys.unwrap(blob(0))))
    expect([asked, new Set(same).size]).toEqual([1, 1])
    expect(same[0]?.export()).toEqual(Buffer.from(blob(0).slice(0, 32)))
    for (let index = 1; index < 256; index += 1) await keys.unwrap(blob(index))
    await keys.unwrap(blob(0))
    expect(asked).toBe(256)
    await keys.unwrap(blob(256)) // pushes out blob 1, which was not used for longest
    await keys.unwrap(blob(0))
    expect(asked).toBe(257)
    await keys.unwrap(blob(1))
    expect(asked).toBe(258)
    keys.clear()
    await keys.unwrap(blob(0))
    expect(asked).toBe(259)
  })

  it('overwrite the bytes they were made of, also when those are none', async () => {
    const plaintexts = [noise(32), noise(31), noise(32)]
    const given = [...plaintexts]
    const keys = createDataKeys({
      create: async () => ({ plaintext: given.shift()!, wrapped: blob(0) }),
      unwrap: async () => given.shift()!,
    })
    await keys.current()
    expect((await rejection(keys.unwrap(blob(1)))).code).toBe('CRYPTO_SERVICE_ANSWER')
    await keys.unwrap(blob(1))
    expect(plaintexts.map((bytes) => bytes.some((byte) => byte !== 0))).toEqual([false, false, false])
  })

  it('are made again after a failure, and once for all that wait', async () => {
    let made = 0
    const keys = createDataKeys({
      create: async () => {
        made += 1
        if (made === 1) throw new RangeError('not now')
        return { plaintext: noise(32), wrapped: blob(0) }
      },
      unwrap: () => Promise.reject(new Error('never asked')),
    })
    await expect(Promise.all([keys.current(), keys.current()])).rejects.toThrow('not now')
    const [one, two] = await Promise.all([keys.current(), keys.current()])
    expect([made, one === two]).toEqual([2, true])
    expect(await keys.unwrap(blob(0))).toBe(one.key)
  })
})
