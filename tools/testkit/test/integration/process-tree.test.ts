import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { startAs } from '../../src/index.ts'
import { isAlive, killTree, withDescendants } from '../../src/servers/process-tree.ts'

/** Starts itself once more every few milliseconds, deeper and deeper; an end is set in case nobody else does. */
const CHAIN = 'chain() { [ $1 -gt 300 ] || { sleep 0.006; chain $(($1 + 1)) & wait; }; }; chain 0'

describe('a tree of processes', () => {
  it('leaves none of those that start while it is killed', async () => {
    for (let round = 0; round < 20; round += 1) {
      const mark = randomUUID()
      const chain = startAs('/bin/sh', ['-c', CHAIN, mark])
      while (withDescendants(chain.pid).length < 4) await new Promise((wake) => setTimeout(wake, 1))
      // So that the next one comes at another moment each time.
      await new Promise((wake) => setTimeout(wake, round))
      const killed = killTree(chain.pid)
      await chain.exited
      expect(killed.length).toBeGreaterThanOrEqual(4)
      expect(namedBy(mark).filter(isAlive)).toEqual([])
    }
  })
})

/** The processes that were started with this word. */
function namedBy(word: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && argumentsOf(name).includes(word))
    .map(Number)
}

function argumentsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
