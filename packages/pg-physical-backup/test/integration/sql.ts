import { Fault } from '@waltz/errors'
import type { TestCluster } from '@waltz/testkit'
import type { SqlConnect } from '../../src/index.ts'

/** Sessions with a test's server as the engine wants them: every value as the text that the server sent. */
export function connectTo(cluster: TestCluster): SqlConnect {
  return async (database) => {
    const client = await cluster.connect(database)
    let closing = false
    return {
      async query(text) {
        try {
          return (await client.query({ text, types: { getTypeParser: () => (value: string | Buffer) => value.toString() } }))
            .rows as Record<string, string>[]
        } catch (error) {
          throw new Fault('unavailable', 'SERVER_QUERY_FAILED', (error as Error).message, { cause: error })
        }
      },
      onLost: (callback) => void client.on('end', () => closing || callback(new Error('the server closed the connection'))),
      async close() {
        closing = true
        await client.end().catch(() => undefined)
      },
    }
  }
}
