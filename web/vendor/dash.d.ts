export * from 'dashjs'
