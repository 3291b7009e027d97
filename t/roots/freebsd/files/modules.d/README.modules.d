Configuration files for third party modules go here.
