/** Preloaded into a run that is not measured: counts what is asked of the file system, for the file that WALTZ_BENCH_COUNTS names. */
import fs, { writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const counts = { folders: 0, looks: 0, opens: 0 }
const { opendir, stat, open } = fs.promises

Object.assign(fs.promises, {
  opendir: (...args: Parameters<typeof opendir>) => ((counts.folders += 1), opendir(...args)),
  stat: (...args: Parameters<typeof stat>) => ((counts.looks += 1), stat(...args)),
  open: (...args: Parameters<typeof open>) => ((counts.opens += 1), open(...args)),
})
syncBuiltinESMExports()
process.on('exit', () => {
  const path = process.env['WALTZ_BENCH_COUNTS']
  if (path !== undefined) writeFileSync(path, JSON.stringify(counts))
})
