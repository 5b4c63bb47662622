/**
 * Run as a process of its own: restores a backup and kills itself with SIGKILL right before the given change of the
 * file system. Prints how many changes there were when it was not killed.
 * Arguments: REPOSITORY DESTINATION KILL_BEFORE (0 = never)
 */
import fs from 'node:fs'
import promises, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'

const [repository = '', destination = '', killBefore = '0'] = process.argv.slice(2)
let changes = 0

function change(): void {
  changes += 1
  if (changes === Number(killBefore)) process.kill(process.pid, 'SIGKILL')
}

type Anything = (...given: any[]) => any
type Functions = Record<string, Anything>

/** Counts every call as a change; for `open`, only those that may write. */
function watch(module: object, names: readonly string[]): void {
  const functions = module as Functions
  for (const name of names) {
    const original = functions[name]
    if (original === undefined) throw new Error(`there is no ${name}`)
    functions[name] = function (this: unknown, ...given: unknown[]) {
      if (!name.startsWith('open') || (given[1] !== 'r' && given[1] !== undefined)) change()
      return original.apply(this, given)
    }
  }
}

watch(fs, [
  'openSync',
  'writeSync',
  'fchmodSync',
  'chmodSync',
  'mkdirSync',
  'renameSync',
  'unlinkSync',
  'rmdirSync',
  'rmSync',
  'symlinkSync',
  'writeFileSync',
])
watch(promises, ['open', 'unlink', 'rmdir', 'rename', 'mkdir', 'symlink', 'writeFile'])
const probe: FileHandle = await promises.open('/dev/null', 'r')
watch(Object.getPrototypeOf(probe) as object, ['write', 'chmod'])
await probe.close()
syncBuiltinESMExports()

const { openRepository, quick, requestFor } = await import('../restore-support.ts')
const { restoreBackup } = await import('../../src/restore/restore-backup.ts')
const { parseRecoveryFlags } = await import('../../src/restore/recovery-target.ts')
const request = parseRecoveryFlags({ timeline: 'current' }, () => 0)
if (request === undefined) throw new Error('no recovery')
changes = 0
const restore = await requestFor(openRepository(repository), destination, {
  spoolDirectory: join(dirname(destination), 'spool'),
  recovery: { request, restoreCommand: '/bin/false' },
})
await restoreBackup(restore, quick)
console.log(changes)
