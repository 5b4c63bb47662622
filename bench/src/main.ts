/** `npm run bench`: measures Waltz and its peers, prints tables and judges the targets. See README.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder, workspaceRoot } from '@waltz/testkit'
import { parseArguments, type BenchOptions } from './arguments.ts'
import type { SeenPeer, Tools } from './model.ts'
import { peers } from './peers/index.ts'
import { createProgress, formatDuration } from './progress.ts'
import { renderJson, renderMarkdown, renderPlain } from './report/render.ts'
import { absentLines } from './report/report.ts'
import { writeBetweenMarkers } from './report/write-docs.ts'
import { startBench } from './run-bench.ts'
import { suites } from './suites/index.ts'
import { findTools, runsAs } from './tools.ts'
import { helpText, listText } from './usage.ts'

const args = process.argv.slice(2)
// Whoever watches may have gone away; servers still have to be stopped.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

let options: BenchOptions | undefined
try {
  const named = suites.map(({ name }) => name)
  const byDefault = suites.filter(({ onlyByName }) => onlyByName !== true).map(({ name }) => name)
  options = parseArguments(args, named, byDefault)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\nnpm run bench -- --help\n`)
  process.exitCode = 2
}
if (options?.mode === 'help') process.stdout.write(helpText())
else if (options !== undefined) await main(options)

async function main(options: BenchOptions): Promise<void> {
  const progress = createProgress((text) => process.stderr.write(text), process.stderr.isTTY)
  try {
    progress.now('building the shipped command ...')
    const tools = await findTools()
    const seen = look(tools)
    progress.done()
    if (options.mode === 'list') process.stdout.write(listText(options, seen))
    else await run(options, tools, { seen, progress })
  } catch (error) {
    progress.say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  }
}

/** A suite that runs only when it is named has a section of its own, when it ran alone. */
function sectionOf(options: BenchOptions): string | undefined {
  const [only, ...others] = suites.filter(({ name }) => options.suites.includes(name))
  return only?.onlyByName === true && others.length === 0 ? only.name : undefined
}

async function run(
  options: BenchOptions,
  tools: Tools,
  { seen, progress }: { readonly seen: readonly SeenPeer[]; readonly progress: ReturnType<typeof createProgress> },
): Promise<void> {
  for (const line of absentLines(seen)) progress.say(line)
  const folder = temporaryFolder()
  const section = sectionOf(options)
  progress.say(`${runsAs()}, in ${folder.path}`)
  const command = ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' ')
  const bench = startBench({ options, folder, tools, peers: seen, progress, command, now: () => new Date() })
  let signal: NodeJS.Signals | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (signal !== undefined) return
      signal = name
      progress.say(`${name}: ending what is measured, stopping servers, removing ${folder.path} ...`)
      void bench.stop()
    })
  }
  try {
    const report = await bench.report
    process.stdout.write(renderPlain(report))
    if (options.json !== undefined) writeFileSync(options.json, renderJson(report))
    if (options.markdown !== undefined) writeFileSync(options.markdown, renderMarkdown(report))
    if (options.write && report.complete)
      writeBetweenMarkers(join(workspaceRoot, 'docs/benchmarks.md'), renderMarkdown(report, section === undefined ? 3 : 4), section)
    progress.say(`${formatDuration(report.seconds)} in all`)
    process.exitCode = report.complete && !report.remarks.some(({ failure }) => failure) ? 0 : 1
  } finally {
    await folder.dispose()
  }
  if (signal !== undefined) process.exitCode = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal as 'SIGINT'] ?? 1
}

function look(tools: Tools): readonly SeenPeer[] {
  return peers.map((peer) => ({ peer, found: peer.find(tools) }))
}
