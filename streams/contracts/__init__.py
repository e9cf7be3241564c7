"""The public contracts: records, topics, Redis keys, views, settings and metric names.

Other packages, and programs outside this project, may rely on everything here.
"""
