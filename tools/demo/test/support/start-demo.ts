import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startAs, type RunningProcess } from '@waltz/testkit'

const script = fileURLToPath(new URL('../../src/demo.ts', import.meta.url))

/** Starts the demo as `npm run demo` does; its folder comes to lie in `folder`. */
export function startDemo(folder: string, ...args: readonly string[]): RunningProcess {
  const env = { TMPDIR: folder, HOME: folder, PATH: process.env['PATH'] }
  return startAs(process.execPath, ['--conditions=source', script, ...args], { user: 'self', env, timeoutMs: 170_000 })
}

/** Command lines of processes that speak of a folder. */
export function processesOf(folder: string): readonly string[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const line = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') : ''
      return line.includes(folder) ? [line] : []
    } catch {
      return []
    }
  })
}
