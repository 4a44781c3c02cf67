"""The real world: performs effects with asyncio, sockets, files and ZooKeeper."""
