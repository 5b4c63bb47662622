const tasks = new Set<() => void>()
let listening = false

/**
 * Runs `task` when this process exits, the latest first: what was begun in a folder ends before the folder is removed. One listener
 * serves all tasks. Returns what takes it back.
 */
export function atExit(task: () => void): () => void {
  if (!listening) process.once('exit', runAll)
  listening = true
  // A function of its own: the same task may be given twice.
  const own = (): void => task()
  tasks.add(own)
  return () => void tasks.delete(own)
}

function runAll(): void {
  for (const task of [...tasks].toReversed()) {
    try {
      task()
    } catch (error) {
      console.error(error) // the others are to run all the same
    }
  }
}
