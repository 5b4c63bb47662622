/**
 * `npm run demo`: a database is created, archived, backed up, changed, damaged by a mistake, and brought back to the second
 * before it, with a real PostgreSQL in a temporary folder. `-- --keep` leaves the folder there and says how to look around;
 * `-- --storage s3` (azure, swift, ssh) keeps the repository in a real server of that kind instead of a folder.
 */
import { join } from 'node:path'
import { createNarration } from './narration.ts'
import { createPlayground, type Playground } from './playground.ts'
import { playJourney } from './journey.ts'
import { readArguments, type DemoRequest } from './arguments.ts'
import { openStorage, type DemoStorage } from './storage.ts'

const request = readArguments(process.argv.slice(2))
const narration = createNarration(process.stdout)
// Whoever watches may have gone away; the journey still has to clean up behind itself.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

if ('problem' in request) {
  process.stderr.write(`${request.problem}\n`)
  process.exitCode = 2
} else await play(request)

async function play({ keep, kind }: DemoRequest): Promise<void> {
  let ending = false
  let playground: Playground | undefined
  let storage: DemoStorage | undefined
  const stop = (signal: NodeJS.Signals, code: number): void => {
    if (ending) return
    ending = true
    process.stdout.write(
      `\n${signal === 'SIGINT' ? 'Stopped by Ctrl-C' : `Stopped by ${signal}`}: ending the servers and removing the folder ...\n`,
    )
    // A server that is just being started ends, with its folder, as this process does.
    const cleared = Promise.allSettled([playground?.clear({ keep: false }), storage?.stop()])
    void cleared.finally(() => process.exit(code))
  }
  process.on('SIGINT', () => stop('SIGINT', 130))
  process.on('SIGTERM', () => stop('SIGTERM', 143))
  process.on('SIGHUP', () => stop('SIGHUP', 129))
  process.on('exit', () => {
    if (!ending) playground?.clearNow()
  })
  narration.say('Waltz takes a database back to the second before a mistake.')
  const startedAt = performance.now()
  try {
    playground = createPlayground()
    storage = await narration.during('starting the storage', openStorage(kind, playground))
    const { proven } = await playJourney(playground, storage, narration)
    if (ending) return
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    narration.say('')
    narration.say(
      proven
        ? `Proven: every row of that moment is back, and nothing of what came after it. ${seconds} s in all.`
        : 'NOT PROVEN: the tables differ.',
    )
    process.exitCode = proven ? 0 : 1
  } catch (error) {
    if (ending) return
    process.stderr.write(`\nThe demo failed. ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
  if (ending) return
  ending = true
  await playground?.clear({ keep })
  await storage?.stop()
  if (playground === undefined) return
  if (keep) explain(playground)
  else narration.say('Everything is removed again; npm run demo -- --keep leaves it there to look around.')
}

function explain(playground: Playground): void {
  const { path, waltz, environment } = playground
  const as = playground.changesUser ? 'setpriv --reuid=65534 --regid=65534 --clear-groups ' : ''
  const env = `${as}env PATH=${environment['PATH']} WALG_FILE_PREFIX=${join(path, 'repository')}`
  const server = `${env} ${join(playground.postgresBin, 'postgres')} -D ${join(path, 'restored')} -c unix_socket_directories=${path}/restored-socket -c listen_addresses=`
  for (const line of [
    '',
    `Kept in ${path}. To look around:`,
    `  ${env} ${waltz} backup-list --pretty`,
    `  ${env} ${waltz} backup-fetch ${join(path, 'another')} LATEST`,
    `  ${env} ${waltz} --help`,
    `  ${server}`,
    `  psql -h ${path}/restored-socket -U postgres postgres        (while that server runs)`,
    `  rm -r ${path}        when you have seen enough`,
  ]) {
    narration.say(line)
  }
}
