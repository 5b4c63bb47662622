import { describe, expect, it } from 'vitest'
import { createBoundedTasks } from '../src/restore/bounded-tasks.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('createBoundedTasks', () => {
  it('keeps to its limit and finishes everything', async () => {
    const tasks = createBoundedTasks(3)
    let now = 0
    let most = 0
    let done = 0
    for (let index = 0; index < 10; index += 1) {
      await tasks.add(async () => {
        most = Math.max(most, (now += 1))
        await pause(2)
        now -= 1
        done += 1
      })
    }
    await tasks.finish()
    expect({ most, done }).toEqual({ most: 3, done: 10 })
  })

  it('gives a failure that came while nobody waited, to the next call or at the end', async () => {
    const failing = (): Promise<void> => Promise.reject(new Error('disk'))
    const early = createBoundedTasks(8)
    await early.add(failing).catch(() => undefined)
    await pause(2)
    await expect(early.add(() => pause(0))).rejects.toThrow('disk')
    const late = createBoundedTasks(8)
    await late.add(async () => {
      await pause(1)
      throw new Error('disk')
    })
    await pause(5)
    await expect(late.finish()).rejects.toThrow('disk')
  })
})
