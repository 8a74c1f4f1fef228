"""Stand-ins for the services that Segue connects to, on this machine, for tests and a first look.

Each holds to what is documented of its service, limits and refusals before all; what that is
stands in ``facts``.
"""
