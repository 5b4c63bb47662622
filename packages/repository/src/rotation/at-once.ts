/**
 * Works on items as they come, so many at once. The first failure stops taking new ones; it is thrown when the others have ended.
 */
export async function atOnce<Item>(items: AsyncIterable<Item>, lanes: number, work: (item: Item) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  try {
    for await (const item of items) {
      const task: Promise<void> = work(item)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(task))
      running.add(task)
      if (running.size >= Math.max(1, lanes)) await Promise.race(running)
      if (failures.length > 0) break
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}
